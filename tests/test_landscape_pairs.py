"""Energies of pairs around an image: an encoder's windows and points against its features."""

import numpy as np
import pytest
import torch
import windows
from stripes import elsewhere
from windows import ask, panels

from cemviz.backend.checks import BadInput
from cemviz.backend.look.landscape import point
from cemviz.backend.look.pictures import subject
from cemviz.backend.stored import assets
from cemviz.energies import against, pair
from cemviz.ui.landscape import words
from cemviz.ui.landscape.handlers import together
from cemviz.ui.landscape.plots import legend, shared


@pytest.fixture
def pairs(places, monkeypatch):
    return windows.with_encoders(windows.equipped(monkeypatch))


@pytest.mark.parametrize("anchor", ["self", "gallery:3", "test:9"])
def test_an_encoders_window_holds_the_energies_of_pairs(pairs, anchor):
    """Against features computed point by point, along directions drawn by hand."""
    request = ask("test:4", "stripes-simclr", "stripes-uat", seed=3, anchor=anchor)
    x = subject(pairs, "stripes", "test:4").x
    other = x if anchor == "self" else subject(pairs, "stripes", anchor).x
    references = assets.gallery("stripes").images.float() / 255
    g = torch.Generator().manual_seed(3)
    v, u = torch.randn(x.shape, generator=g), torch.randn(x.shape, generator=g)
    u = u / u.norm()
    v = v - (u * v).sum() * u
    v = v / v.norm()
    for panel in panels(pairs, request):
        net, _ = pairs.model(panel.model)
        refs = net(torch.cat([other[None], references]))
        for i, j in ((3, 3), (0, 6), (5, 1)):
            z = net((x + panel.axis[j] * u + panel.axis[i] * v)[None])
            assert panel.grids["joint"][i, j] == pytest.approx(pair(z, refs[:1]).item(), abs=2e-4)
            assert panel.grids["marginal"][i, j] == pytest.approx(against(z, refs).item(), abs=2e-4)
        assert panel.kind == "encoder" and not panel.precomputed
        if anchor == "self":  # nothing is more like the image than the image
            assert panel.shapes["joint"].offset == 0 and panel.centre_energy("joint") == pytest.approx(-2, abs=1e-4)


def test_a_point_tells_the_anchors_share_among_the_references(pairs):
    request = ask("gallery:1", "stripes-uat", anchor="gallery:0")
    spot = point(pairs, request, 0.5, -1.0)
    row = spot.rows[0]
    assert spot.kind == "encoder" and row.p == pytest.approx(np.exp(row.marginal - row.joint), rel=1e-4)
    assert row.predicted.startswith("the anchor") or row.predicted.endswith("of the gallery")
    table = words.table(spot)
    assert "E(x, x′) (change)" in table and "p(x′ | x)" in table and "p(y | x)" not in table
    assert point(pairs, ask("gallery:1", "stripes-uat"), 0, 0).rows[0].predicted.startswith("the anchor, ")


def test_labels_and_pairs_share_no_scale(pairs):
    with pytest.raises(BadInput, match="'stripes-at' is a classifier, 'stripes-uat' an encoder: drop one"):
        panels(pairs, ask("test:0", "stripes-at", "stripes-uat"))
    assert together(pairs, "stripes-uat", "stripes-at", ["stripes-simclr"]) == ["stripes-uat", "stripes-simclr"]
    both = panels(pairs, ask("test:0", "stripes-simclr", "stripes-uat"))
    levels = shared(both, "joint", "relative")
    assert levels.name == "E(x, x′) − E(image, x′)" and levels.name in legend(levels)
    assert "E(x, x′) of the image: −2.00" in words.caption(both[0], "joint")


def test_without_the_data_set_an_encoder_wants_images_of_the_gallery(pairs, monkeypatch):
    there = elsewhere(monkeypatch)
    with pytest.raises(BadInput, match=r"not on this machine.*choose an image of the gallery"):
        panels(there, ask("grid:1", "stripes-uat"))
    with pytest.raises(BadInput, match=r"not on this machine.*or an image of the gallery"):
        panels(there, ask("gallery:1", "stripes-uat", anchor="grid:1"))
    assert len(panels(there, ask("gallery:1", "stripes-uat", anchor="gallery:0"))) == 1
