"""The plane through an image: orthonormal directions, energies at the right places, minimum and flatness read off by hand."""

import pytest
import torch
from conftest import rand, seeded, toy_classifier
from torch.nn import functional as F

from cemviz.energies import joint, marginal
from cemviz.metrics.landscape import Plane, around, directions, energies, scan, shape, window

SHAPE = (2, 3, 3)
X, Y = rand(*SHAPE, seed=1), torch.tensor(2)
NET = toy_classifier(SHAPE, 5)


@pytest.mark.parametrize("kind", ["random", "adversarial"])
def test_directions_are_orthonormal_and_decided_by_the_generator(kind):
    u, v = directions(kind, NET, X, Y, generator=seeded(1))
    torch.testing.assert_close(torch.stack([u.norm(), v.norm(), (u * v).sum()]), torch.tensor([1.0, 1.0, 0.0]).double())
    again = directions(kind, NET, X, Y, generator=seeded(1))
    assert torch.equal(v, again[1]) and not torch.equal(v, directions(kind, NET, X, Y, generator=seeded(2))[1])


def test_the_adversarial_direction_is_the_cross_entropys_gradient():
    u, _ = directions("adversarial", NET, X, Y, generator=seeded())
    x = X[None].clone().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(NET(x), Y[None]), x)
    torch.testing.assert_close(u, g[0] / g.norm())


def test_the_second_direction_is_alike_for_every_net_up_to_orthogonality():
    other = toy_classifier(SHAPE, 5, seed=9)
    (u1, v1), (u2, v2) = (directions("adversarial", net, X, Y, generator=seeded(3)) for net in (NET, other))
    drawn = torch.randn(SHAPE, generator=seeded(3)).double()
    for u, v in ((u1, v1), (u2, v2)):
        along = drawn - (drawn * u).sum() * u
        torch.testing.assert_close(v, along / along.norm(), rtol=0, atol=1e-6)


def test_unknown_directions_and_a_zero_gradient_are_refused():
    with pytest.raises(ValueError, match="directions are 'pca'; choose random or adversarial"):
        directions("pca", NET, X, Y)
    flat = toy_classifier(SHAPE, 5, scale=0.0)
    with pytest.raises(ValueError, match="gradient at this image is zero"):
        directions("adversarial", flat, X, Y)


def test_a_window_is_odd_symmetric_and_has_the_image_in_its_middle():
    axis = window(1.5, 7)
    assert axis[3] == 0 and axis[0] == -1.5 and axis[-1] == 1.5 and torch.allclose(axis, -axis.flip(0))
    for radius, side in ((0.1, 11), (0.3, 21), (2.7, 41)):  # where a rounded step would miss it
        assert window(radius, side)[side // 2] == 0
    for side in (1, 6):
        with pytest.raises(ValueError, match=f"side is {side}; give an odd number of at least 3"):
            window(1.0, side)


def plane(side=5):
    u, v = directions("random", NET, X, Y, generator=seeded(4))
    return Plane(X, u, v, window(0.8, side).double())


@pytest.mark.parametrize("size", [3, 512])
def test_energies_lie_at_row_b_column_a_of_the_grid(size):
    p = plane()
    both = energies(NET, p, Y, size)
    for i, b in enumerate(p.axis):
        for j, a in enumerate(p.axis):
            f = NET((X + a * p.u + b * p.v)[None]).detach()
            torch.testing.assert_close(both[0][i, j], joint(f, Y[None])[0])
            torch.testing.assert_close(both[1][i, j], marginal(f)[0])


def test_the_middle_of_the_grid_is_the_image():
    f = NET(X[None]).detach()
    torch.testing.assert_close(energies(NET, plane(), Y)[1][2, 2], marginal(f)[0])


def test_scan_yields_the_grid_by_rows_without_a_graph_and_keeps_gradients():
    parts = list(scan(NET, plane(), 10))
    assert [len(p) for p in parts] == [10, 10, 5] and not any(p.requires_grad for p in parts)
    for _ in scan(NET, plane(), 10):
        assert torch.is_grad_enabled()


def test_around_is_a_function_of_its_arguments():
    one, two, other = (around(NET, X, Y, "random", 0.5, 5, seed) for seed in (1, 1, 2))
    assert torch.equal(one.u, two.u) and not torch.equal(one.u, other.u)
    assert one.axis.tolist() == [-0.5, -0.25, 0, 0.25, 0.5] and torch.equal(one.centre, X)


def test_shape_reads_minimum_offset_depth_and_range_off_a_bowl():
    axis = window(2.0, 9).double()
    b, a = torch.meshgrid(axis, axis, indexing="ij")
    s = shape((a - 1.5) ** 2 + 2 * (b + 1.0) ** 2 - 7, axis)
    assert (s.a, s.b) == (1.5, -1.0)
    assert s.offset == pytest.approx((1.5**2 + 1) ** 0.5) and s.depth == pytest.approx(1.5**2 + 2)
    assert s.range == pytest.approx(3.5**2 + 2 * 3**2)


def test_shape_of_an_image_at_the_minimum_has_no_offset_and_no_depth():
    axis = window(1.0, 5)
    b, a = torch.meshgrid(axis, axis, indexing="ij")
    s = shape(a**2 + b**2, axis)
    assert (s.offset, s.depth) == (0, 0) and s.range == pytest.approx(2)
