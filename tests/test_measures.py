"""How a cell of a table is measured: seeds, errors, real images, curves of training."""

import pytest
import torch

from cemviz.backend import store
from cemviz.backend import tables as experiments
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.evaluate import evaluate
from cemviz.backend.requests import EvaluateRequest
from cemviz.backend.studio import Studio
from cemviz.backend.tables import EXPERIMENTS, measures
from cemviz.backend.train import curves
from cemviz.data import images


@pytest.mark.parametrize("seed", [0, 4])
@pytest.mark.parametrize(
    ("metric", "last", "error"),
    [
        ("is", {"spread": 0.3, "splits": 9}, 0.1),
        ("is", {"spread": 0.0, "splits": 1}, None),
        ("fid", {"spread": 0.2}, 0.2),
        ("jfs", {"spread": 0.5}, 0.5),
        ("robust", {"spread": 0.01}, 0.01),
    ],
)
def test_the_seed_goes_into_draws_and_attacks_the_error_into_the_number(monkeypatch, metric, last, error, seed):
    asked = []

    def evaluated(studio, request):
        asked.append(request)
        yield {"value": 0.5, "count": 9, "split": "test", "extractor": None, "seed": request.seed, "warnings": ["w"]} | last

    monkeypatch.setattr(measures, "evaluate", evaluated)
    number = measures.evaluated(metric, count=9).run("m", choose("cpu"), None, seed)
    assert (asked[0].seed, asked[0].count, asked[0].metric) == (seed, 9, metric)
    assert number["error"] == (error and pytest.approx(error)) and number["seed"] == seed and number["note"] == "w"


def test_the_error_of_a_score_at_equal_norm_is_its_own(monkeypatch):
    last = {"value": 8.0, "spread": 1.0, "equal_norm": 0.25, "equal_norm_spread": 0.01, "warnings": []}
    monkeypatch.setattr(measures, "evaluate", lambda studio, request: iter([last]))
    number = measures.evaluated("jfs", equal_norm=True).run("m", choose("cpu"), None, 0)
    assert (number["value"], number["error"]) == (0.25, 0.01)


def test_real_images_differ_from_those_compared_with_and_follow_the_seed(monkeypatch):
    pixels = torch.arange(60).view(60, 1, 1, 1).expand(60, 3, 1, 1).byte()
    test = images.Images("toy", "test", pixels, torch.zeros(60).long(), ("a",))
    seen = []

    class Eye:
        name = "judge-x"
        logits = torch.nn.Linear(3, 3)

        def __call__(self, x):
            seen.append((x[:, 0, 0, 0] * 255).round().int().tolist())
            return x.flatten(1).double() * 255

    monkeypatch.setattr(store, "read_card", lambda name: type("Card", (), {"data": "toy"}))
    monkeypatch.setattr(images, "load", lambda *given, **more: test)
    monkeypatch.setattr(measures, "_eye", lambda *given: Eye())
    fid = measures.real_images("fid", 25)
    first, again, other = (fid.run("m", choose("cpu"), None, seed) for seed in (0, 0, 1))
    assert first == again and first["value"] != other["value"] and first["error"] > 0 and first["count"] == 25
    assert min(seen[0]) >= 25 > max(seen[1]) and len(set(seen[0])) == 25, "no image is compared with itself"
    seen.clear()
    elsewhere = measures.real_images("fid", 25, split="validation")
    assert elsewhere.run("m", choose("cpu"), None, 1)["split"] == "validation" and elsewhere.key != fid.key
    assert set(seen[0]).isdisjoint(seen[1]) and set(seen[1]) != set(range(25)), "its first images may be of one class"
    assert measures.real_images("is", 25).run("m", choose("cpu"), None, 0)["resampled"] == "splits"
    with pytest.raises(BadInput, match="count is 59, and toy has 60 test images"):
        measures.real_images("fid", 59).run("m", choose("cpu"), None, 0)


def test_equal_measures_share_a_key_and_different_ones_do_not():
    keys = [cell.measure.key for experiment in EXPERIMENTS.values() for cell in experiment.cells.values()]
    same = experiments.robustness.CEM_3.cells[("AT", "robust")].measure.key
    assert same == experiments.jeat.JEAT_3.cells[("AT", "robust")].measure.key and keys.count(same) > 2
    assert measures.evaluated("jfs").key != measures.evaluated("jfs", equal_norm=True).key
    assert len({experiments.jeat.attacked(a, r).key for a in ("pgd", "energy") for r in (0.1, 0.2)}) == 4


def test_curves_of_training_are_read_from_the_run(places):
    probes = [{"step": k, "delta_theta": {"marginal": [v, 0.1]}} for k, v in ((1, -0.5), (2, 0.25), (3, 0.5))]
    store.write_json(curves.path("m"), {"probes": probes})
    numbers = {
        what: measures.over_training("delta_theta", "marginal", what).run("m", None, None, 0)["value"]
        for what in ("lowest", "highest", "mean", "positive")
    }
    assert numbers == {
        "lowest": -0.5,
        "highest": 0.5,
        "mean": pytest.approx(0.0833, abs=1e-3),
        "positive": pytest.approx(2 / 3),
    }


@pytest.mark.data
@pytest.mark.skipif(not images.available("mnist"), reason="MNIST is not on this machine (see README, Data)")
def test_chains_that_two_judges_look_at_are_drawn_once(monkeypatch):
    drawn = []
    prepared = measures.prepared
    monkeypatch.setattr(measures, "prepared", lambda *given: drawn.append(given) or prepared(*given))
    measures._last_images.cache_clear()
    chains = {"sampler": "rcs", "start": "class-gaussian", "radius": 1.0, "steps": 2}
    usual, clean = (
        measures.ends("fid", f"judge-{name}", count=20, **chains).run("mnist-standard", choose("cpu"), None, 3)
        for name in ("mnist-judge", "mnist-judge-clean")
    )
    assert len(drawn) == 1 and usual["value"] != clean["value"] and usual["extractor"] == "judge-mnist-judge"
    asked = EvaluateRequest("mnist-standard", "fid", count=20, seed=3, extractor="judge-mnist-judge", **chains)
    *_, told = evaluate(Studio(choose("cpu")), asked)
    assert usual["value"] == pytest.approx(told["value"], rel=1e-3) and usual["count"] == 20
    measures.ends("kid", "judge-mnist-judge", count=20, **chains).run("mnist-standard", choose("cpu"), None, 4)
    assert len(drawn) == 2, "another seed"
