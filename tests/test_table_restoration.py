"""Tables of restoration: what is chosen where, each number by hand on a small net, and the claims on hand-made rows."""

from dataclasses import replace

import pytest
import torch
from conftest import rand
from stripes import binary as binary_net

from cemviz.backend import store
from cemviz.backend.device import choose
from cemviz.backend.look.holes import hole
from cemviz.backend.look.restore import BETWEEN, noisy, occluded
from cemviz.backend.studio import Studio
from cemviz.backend.tables import EXPERIMENTS, judge, restoration
from cemviz.backend.tables.restoration import FREE, HELD, OCCLUDED, ROWS, THESIS_2_7, THESIS_2_8, Restoration, tuned
from cemviz.draws import Each
from cemviz.dynamics import Dynamics, settle
from cemviz.energies import binary, on
from cemviz.metrics.restoration import split
from cemviz.metrics.similarity import similarity, similarity_map
from cemviz.mixtures import blurred
from cemviz.starts import fit

STEP = 0.5
"""Half the sampler's own, for images as small as these."""


@pytest.fixture
def stored(places, monkeypatch):
    """A binary net of the stripes, whose images are few."""
    store.save(*binary_net("tells"))
    store.save_gaussians("stripes", fit(rand(30, 3, 8, 8, dtype=torch.float32), torch.arange(30) % 3, 3, rank=4))
    monkeypatch.setattr(restoration, "MOST", 4)
    for cached in (restoration.denoised, restoration.inpainted):
        cached.cache_clear()
    return Studio(choose("cpu"))


def measured(measure, seed=0):
    return measure.run("tells", choose("cpu"), None, seed)


def parts(studio):
    chosen, test = (studio.split("stripes", part).first(restoration.COUNT).floats() for part in ("validation", "test"))
    net, _ = studio.model("tells")
    return on(net, binary), chosen, test


def test_the_number_of_steps_is_that_of_the_best_mean_and_never_none():
    truth = rand(4, 1, 8, 8)
    start = truth + 0.5 / 8  # at distance .5

    def towards(x):
        return (x - truth).square().flatten(1).sum(1)

    assert tuned(towards, start, truth, 0.1) == 5 and tuned(towards, start, truth, 0.24) == 2
    assert tuned(lambda x: -towards(x), start, truth, 0.1) == 1, "no climb helps, and one step is the least"
    known = torch.zeros(8, 8, dtype=torch.bool)
    known[:4] = True
    assert tuned(towards, torch.where(known, truth, start), truth, 0.05, known) == round(0.5 / 2**0.5 / 0.05)


def test_denoising_is_tuned_on_validation_and_told_of_the_test_images(stored):
    energy, chosen, test = parts(stored)
    damaged = noisy(torch.cat([chosen, test]), 0.2, Each(3, range(len(chosen) + len(test))))
    steps = tuned(energy, damaged[: len(chosen)], chosen, STEP)
    start = damaged[len(chosen) :]
    gain = similarity(settle(energy, start, Dynamics(steps, STEP)), test) - similarity(start, test)
    found = {column: measured(restoration.denoising(0.2, column), 3) for column in ("before", "SSIM", "gain", "fell", "K")}
    assert (
        found["K"]["value"] == steps
        and found["K"]["split"] == "validation"
        and found["K"]["error"] is None
        and found["K"]["count"] == 30
    )
    assert found["gain"]["value"] == pytest.approx(gain.mean().item(), abs=1e-6)
    assert found["gain"]["error"] == pytest.approx((gain.std() / len(gain) ** 0.5).item(), rel=1e-4)
    assert found["gain"]["note"].startswith("95 % interval over images ")
    assert found["fell"]["value"] == pytest.approx((gain < 0).double().mean().item())
    assert found["SSIM"]["value"] - found["before"]["value"] == pytest.approx(found["gain"]["value"])
    assert measured(restoration.denoising(0.2, "before"), 4)["value"] != found["before"]["value"]


def test_inpainting_fills_the_hole_in_every_way(stored):
    energy, _, test = parts(stored)
    found = {row: {c: measured(restoration.inpainting(row, c))["value"] for c in ("SSIM", "inside", "outside")} for row in ROWS}
    lost = hole("", (8, 8))
    by_hand = split(similarity_map(occluded(test, lost), test), lost)
    assert [found[OCCLUDED][c] for c in ("inside", "outside")] == pytest.approx(
        [part.mean().item() for part in by_hand], abs=1e-6
    )
    steps = int(measured(restoration.inpainting(FREE, "K"))["value"])
    free = settle(energy, occluded(test, lost), Dynamics(steps, STEP))
    assert found[FREE]["SSIM"] == pytest.approx(similarity(free, test).mean().item(), abs=1e-6)
    assert found[FREE] != found[HELD] and found[ROWS[3]]["SSIM"] > found[ROWS[5]]["SSIM"]
    assert measured(restoration.inpainting(OCCLUDED, "gain"))["value"] == 0


def test_steps_are_chosen_on_validation_images_alone(stored, monkeypatch):
    seen = []
    monkeypatch.setattr(restoration, "tuned", lambda energy, start, truth, *given: seen.append((start, truth)) or 2)
    measured(restoration.denoising(0.2, "gain"), 8)
    measured(restoration.inpainting(FREE, "gain"))
    _, chosen, test = parts(stored)
    assert len(seen) == 3 and len(chosen) != len(test)
    for start, truth in seen:
        assert torch.equal(truth, chosen) and start.shape == chosen.shape and not torch.equal(start, chosen)


def test_a_machine_without_the_images_is_told_so(stored, monkeypatch):
    monkeypatch.setattr(Studio, "split", lambda *given: None)
    with pytest.raises(LookupError, match="images of stripes are not on this machine"):
        measured(restoration.denoising(0.2, "gain"), 9)


def test_a_judge_sees_starts_samples_and_places_of_a_line(stored, monkeypatch):
    seen = []
    monkeypatch.setattr(restoration, "_sure", lambda studio, model, x, eye: seen.append(x) or {"value": 0.5})
    starts = restoration._starts(stored, "tells", 2 * restoration.LINES, 5)
    energy, _, _ = parts(stored)
    assert measured(restoration.from_starts(0.0, False, ""), 5)["seed"] == 5
    measured(restoration.from_starts(1.0, False, ""), 5)
    measured(restoration.from_starts(1.0, True, ""), 5)
    assert torch.equal(seen[0][: len(starts)], starts) and torch.equal(seen[1], blurred(seen[0], 1.0))
    dyn = restoration.suited("ascent", (3, 8, 8))
    torch.testing.assert_close(seen[2], settle(energy, seen[1], dyn))
    measured(restoration.along_lines((0, BETWEEN - 1), ""), 5)
    torch.testing.assert_close(seen[3], settle(energy, starts, dyn))
    measured(restoration.along_lines((2,), ""), 5)
    torch.testing.assert_close(seen[4], settle(energy, torch.lerp(starts[::2], starts[1::2], 2 / (BETWEEN - 1)), dyn))


def test_the_share_of_which_a_judge_is_sure_needs_the_judge(stored):
    with pytest.raises(Exception, match="there is no judge of stripes"):
        measured(restoration.from_starts(0.0, False, ""))


def rows(**values):
    """Hand-made rows of Table 2.8: (row, column) -> number."""
    return [
        {"name": name, "column": column, "ours": value, "spread": 0.01, "seeds": 1, "extractor": None}
        for (name, column), value in values["of"].items()
    ]


def test_the_claims_of_inpainting_are_the_papers():
    patch, original, blind = ROWS[3:]
    papers = {place: value for place, value in THESIS_2_8.paper.items()}
    gains = {(FREE, "gain"): papers[FREE, "SSIM"] - papers[OCCLUDED, "SSIM"], (HELD, "gain"): 0.2}
    found = {order["claim"]: order for order in judge(THESIS_2_8.orders, rows(of=papers | gains))}
    assert [order["by"] for order in found.values()] == pytest.approx([0.011, -0.007, 0.517, 0.54, 0.189])
    better = {(row, "SSIM"): value for row, value in zip((FREE, patch, original, blind), (0.9, 0.5, 0.6, 0.7), strict=True)}
    worse = {place: 1 - value for place, value in better.items()}
    for given, sign, expected in ((better, 1, True), (worse, -1, False)):
        ends = {(FREE, "gain"): 0.3 * sign, (HELD, "gain"): 0.6 * sign}
        assert [order["holds"] for order in judge(THESIS_2_8.orders, rows(of=given | ends))] == [expected] * 5


def test_the_claims_of_denoising_hold_where_the_gain_is_above_0():
    for gain, holds in ((0.1, True), (-0.1, False), (0.01, None)):
        given = rows(of={(f"σ {sigma:g}", "gain"): gain for sigma in restoration.NOISES})
        assert [order["holds"] for order in judge(THESIS_2_7.orders, given)] == [holds, holds]


def test_the_papers_means_are_those_of_its_ten_images():
    assert THESIS_2_7.paper == {("σ 0.1", "before"): 0.2338, ("σ 0.1", "SSIM"): 0.3793}
    assert sum(b < a for a, b in zip(restoration.NOISY, restoration.DENOISED, strict=True)) == 1
    assert {"thesis-2.7", "thesis-2.8", "thesis-fig-2.9", "thesis-fig-2.16"} <= EXPERIMENTS.keys()


def test_a_gain_is_after_minus_before():
    one = Restoration({"ssim": torch.tensor([0.5, 0.2])}, {"ssim": torch.tensor([0.3, 0.4])}, 3)
    assert one.gain.tolist() == pytest.approx([0.2, -0.2])
    assert restoration._number(one, "fell")["value"] == 0.5 and restoration._number(replace(one, steps=7), "K")["value"] == 7
