"""Contrastive views: every sample draws its own, black outside, and the range stays [0, 1]."""

import pytest
import torch
from conftest import rand, seeded

from cemviz.data import views
from cemviz.data.views import CONTRASTIVE, affine, crop_and_stretch, grey, jitter, some_grey

COLOUR = rand(400, 3, 8, 8)


@pytest.mark.parametrize("name", CONTRASTIVE)
def test_two_draws_of_one_image_differ_and_stay_in_the_box(name):
    x = rand(1, 3, 12, 12).expand(6, -1, -1, -1)
    g = seeded(1)
    a, b = CONTRASTIVE[name](x, g), CONTRASTIVE[name](x, g)
    assert a.shape == x.shape and a.dtype == x.dtype and 0 <= a.min() and a.max() <= 1
    assert not torch.equal(a, b)
    assert all(not torch.allclose(a[0], other) for other in a[1:])  # a draw of its own for every sample
    assert torch.equal(a, CONTRASTIVE[name](x, seeded(1)))


def test_affine_without_turn_zoom_and_shift_is_the_identity():
    x = rand(3, 1, 9, 9)
    torch.testing.assert_close(affine(x, seeded(), turn=0.0, zoom=(1.0, 1.0), shift=0.0), x)


def test_affine_moves_turns_and_stretches_a_square_by_what_it_is_told():
    x = torch.zeros(200, 1, 41, 41, dtype=torch.float64)
    x[:, :, 16:25, 16:25] = 1.0
    rows, columns = torch.meshgrid(torch.arange(41.0), torch.arange(41.0), indexing="ij")

    def centre(y):
        mass = y.sum((1, 2, 3))
        return torch.stack([(y[:, 0] * at).sum((1, 2)) / mass for at in (rows, columns)])

    moved = centre(affine(x, seeded(), turn=0.0, zoom=(1.0, 1.0), shift=0.2)) - 20
    assert moved.abs().max() <= 0.2 * 20.5 + 1e-6 and moved.abs().amax(1).min() > 3.5 and moved.std(1).min() > 2
    area = affine(x, seeded(), turn=0.0, zoom=(0.5, 2.0), shift=0.0).sum((1, 2, 3)) / 81
    assert 0.25 < area.min() < 0.5 and 2.5 < area.max() < 4.1
    turned = affine(x, seeded(), turn=0.7, zoom=(1.0, 1.0), shift=0.0)
    torch.testing.assert_close(turned.sum((1, 2, 3)), x.sum((1, 2, 3)), rtol=0.03, atol=0)
    corners = turned[:, 0, 20, 25:28].sum(1)  # beyond the edge's middle: only a turned square's corner reaches there
    assert corners.max() > 0.5 and centre(turned).sub(20).abs().max() < 0.1


def test_affine_is_black_outside():
    edge = affine(torch.ones(50, 1, 9, 9), seeded(), turn=0.0, zoom=(1.0, 1.0), shift=0.5)
    assert (edge.amin((1, 2, 3)) == 0).float().mean() > 0.6  # a move of more than half a pixel either way


def test_a_window_is_never_larger_than_the_image_and_fills_the_whole():
    views_of_one = crop_and_stretch(torch.ones(300, 3, 8, 8), seeded())
    torch.testing.assert_close(views_of_one[:, :, 1:-1, 1:-1], torch.ones(300, 3, 6, 6))  # nothing from outside
    ramp = torch.linspace(0, 1, 16).expand(300, 3, 16, 16)
    widths = (cut := crop_and_stretch(ramp, seeded()))[:, 0, 8, -2] - cut[:, 0, 8, 1]
    assert widths.min() > 0.25 and widths.min() < 0.45 and widths.max() > 0.8


def test_jitter_leaves_one_image_in_five_alone_and_colours_the_rest():
    y = jitter(COLOUR, seeded())
    same = (y == COLOUR).flatten(1).all(1)
    assert 0.14 < same.float().mean() < 0.27
    assert ((y - COLOUR).abs().amax((1, 2, 3))[~same] > 0.01).all()


def test_jitter_of_no_strength_is_the_identity_and_hue_turns_keep_luma():
    torch.testing.assert_close(jitter(COLOUR, seeded(), strength=0.0, hue=0.0), COLOUR)
    dull = 0.4 + 0.2 * COLOUR  # far from the edges, where the clamp would change the luma
    turned = jitter(dull, seeded(), strength=0.0, hue=0.5)
    torch.testing.assert_close(grey(turned), grey(dull), rtol=0, atol=2e-4)
    assert (turned - dull).abs().amax((1, 2, 3)).max() > 0.1


def test_one_image_in_five_loses_its_colour():
    y = some_grey(COLOUR, seeded())
    without = (y == y[:, :1]).flatten(1).all(1)
    assert 0.14 < without.float().mean() < 0.27
    torch.testing.assert_close(y[without], grey(COLOUR)[without].expand(-1, 3, -1, -1))
    assert torch.equal(y[~without], COLOUR[~without])


def test_digits_and_colour_are_the_names_of_the_recipes():
    assert CONTRASTIVE == {"digits": views.affine, "colour": views.colour}
