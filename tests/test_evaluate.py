"""Measurements of a stored model by `evaluate`: every metric end to end, with what its number rests on."""

import json
from dataclasses import replace

import pytest
import torch
from conftest import CLASSES

from cemviz import starts
from cemviz.attacks import ATTACKS
from cemviz.backend import evaluate as module
from cemviz.backend import kinds, store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.evaluate import METRICS, evaluate, summary
from cemviz.backend.kinds import KINDS
from cemviz.backend.requests import EvaluateRequest
from cemviz.backend.sample import chains as sampling
from cemviz.backend.store import Card
from cemviz.backend.studio import Studio
from cemviz.backend.use_case import Step
from cemviz.data import images
from cemviz.metrics import fisher, quality
from cemviz.metrics.robustness import PROTOCOLS
from cemviz.nets import build
from cemviz.samplers import SAMPLERS

FIELDS = {"model", "metric", "value", "spread", "count", "split", "seed", "extractor", "warnings", "data", "unit", "better"}


def keep(name: str, seed: int, role: str = "model", **net_args) -> None:
    """Store a small classifier of the stripes, trained a little."""
    args = {"mean": (0.4,) * 3, "std": (0.2,) * 3, "outputs": 3, "width": 4, "depth": 1} | net_args
    net, train = build("small-resnet", seed=seed, **args).train(), images.load("stripes", "train")
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.02)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(train.floats()), train.labels).backward()
        optimizer.step()
    store.save(net, Card(name, name, "classifier", "small-resnet", args, "stripes", (3, 8, 8), CLASSES, "mnist-at", "laptop",
                         {}, "l2", 0.3, seed, 30, 1.0, "cpu", "none", "today", role=role))  # fmt: skip


@pytest.fixture
def stored(places, monkeypatch):
    """The models `toy` and `stripes-judge`, and the set's class Gaussians; no Inception, whatever the machine has."""
    monkeypatch.setattr(quality, "inception_here", lambda: False)
    keep("toy", 0)
    keep("stripes-judge", 1, "judge")
    train = images.load("stripes", "train")
    store.save_gaussians("stripes", starts.fit(train.floats(), train.labels, 3, 8))
    return places


def chunks(monkeypatch, kind, size):
    """Set the number of chains of this kind that are run at a time."""
    monkeypatch.setitem(KINDS, kind, replace(KINDS[kind], chunk=size))


def run(model="toy", metric="accuracy", **how):
    *progress, result = evaluate(Studio(choose("cpu")), EvaluateRequest(model, metric, **how))
    assert all(0 < step.done <= step.total for step in progress)
    return result, progress


QUICK = {"steps": 3, "count": 12}


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_gives_the_contracts_fields_as_json_and_repeats(stored, metric):
    how = {} if metric == "accuracy" else QUICK if metric in ("is", "fid", "robust") else {"count": 12}
    result, progress = run(metric=metric, **how)
    assert result.keys() >= FIELDS and (result["model"], result["metric"], result["split"]) == ("toy", metric, "test")
    assert json.loads(json.dumps(result, allow_nan=False)) == result and bool(result["warnings"]) == (metric == "is")
    assert result["count"] == (30 if metric == "accuracy" else 12) and bool(progress) == (metric != "accuracy")
    assert result["extractor"] == ("judge-stripes-judge" if metric in ("is", "fid") else None)
    assert run(metric=metric, **how)[0] == result
    assert summary(result).keys() == result.keys() - {"model", "metric", "unit", "better", "data"}


def test_is_and_fid_see_samples_of_the_model_through_the_judge(stored, monkeypatch):
    drawn = []
    real = sampling.Run.last
    monkeypatch.setattr(sampling.Run, "last", lambda run: (drawn.append(x) or x for x in real(run)))
    chunks(monkeypatch, "classifier", 8)
    result, progress = run(metric="fid", **QUICK)
    assert [len(x) for x in drawn] == [8, 4] and [step.done for step in progress] == [8, 12]
    judge = quality.judge("stripes-judge", store.load("stripes-judge")[0])
    test = images.load("stripes", "test").floats()
    seen = judge(torch.cat(drawn))
    assert result["value"] == pytest.approx(quality.frechet(judge(test[:12]), seen), abs=1e-4)
    assert result["floor"] == pytest.approx(quality.frechet(judge(test[:12]), judge(test[12:24])), abs=1e-4)
    assert (
        result["spread"] is None and run(metric="fid", count=20, steps=3)[0]["floor"] is None
    )  # 30 images are no two twenties
    score, _ = run(metric="is", **QUICK)
    mean, deviation = quality.inception_score(judge, seen, 6, 0)
    assert (score["value"], score["spread"]) == (pytest.approx(mean, abs=1e-4), pytest.approx(deviation, abs=1e-4))
    assert score["splits"] == 6 and 1 <= score["value"] <= 3


def test_samples_are_of_the_asked_classes_in_turn_and_numbers_are_told(stored, monkeypatch):
    asked = []
    real = starts.draw
    monkeypatch.setattr(sampling, "draw", lambda name, source, y, g: asked.append(y) or real(name, source, y, g))
    result, _ = run(metric="fid", sampler="cs", radius=0.5, **QUICK)
    assert asked[0].tolist() == [0, 1, 2] * 4
    expected = {"sampler": "cs", "start": "class-gaussian", "steps": 3, "step": 0.5, "noise": 0.01, "radius": 0.5}
    assert result | expected == result
    other = run(metric="fid", **QUICK)[0]
    assert other["sampler"] == "rcs" and other["radius"] == 6.0 and other["value"] != result["value"]
    free = run(metric="fid", sampler="jeat17", **QUICK)[0]
    assert free["radius"] == "inf"
    assert run(metric="fid", seed=5, **QUICK)[0]["value"] != other["value"]
    assert run(metric="fid", start="uniform", **QUICK)[0]["start"] == "uniform"


@pytest.fixture
def encoder(stored):
    """An untrained encoder `enc` beside the models."""
    args = {"mean": (0.4,) * 3, "std": (0.2,) * 3, "width": 4, "depth": 1, "projection": (8, 4)}
    store.save(build("encoder", seed=5, **args), Card("enc", "enc", "encoder", "encoder", args, "stripes", (3, 8, 8), CLASSES,
               "mnist-uat", "laptop", {}, "l2", 0.3, 0, 1, 1.0, "cpu", "none", "today"))  # fmt: skip
    return stored


@pytest.fixture
def begun(monkeypatch):
    """The starts and the record of every chunk of chains that is drawn."""
    seen, real = [], sampling.Run.begin

    def begin(run, *chains):
        x0, record, noise = real(run, *chains)
        seen.append((x0, record))
        return x0, record, noise

    monkeypatch.setattr(sampling.Run, "begin", begin)
    return seen


def test_an_encoder_draws_by_maxent_in_one_batch_unless_told(encoder, begun, monkeypatch):
    chunks(monkeypatch, "classifier", 5)
    result, _ = run("enc", "fid", start="gaussian", **QUICK)
    chunks(monkeypatch, "encoder", 8)
    run("enc", "is", sampler="pgd", **QUICK)
    sizes = [(record.sampler, len(x0)) for x0, record in begun]
    assert sizes == [(SAMPLERS["maxent"], 12), (SAMPLERS["pgd"], 8), (SAMPLERS["pgd"], 4)]
    assert (result["sampler"], result["start"]) == ("maxent", "gaussian")


def test_langevin_against_data_takes_real_images(encoder, begun):
    run("enc", "fid", sampler="langevin-pairs", **QUICK)
    real, (_, record) = images.load("stripes", "test").floats(), begun[0]
    assert len(record.refs) == 30 and all((real == ref).flatten(1).all(1).any() for ref in record.refs)


@pytest.mark.parametrize("metric", ["accuracy", "robust", "jfs"])
def test_an_encoder_has_no_accuracy_and_its_probe_is_named(encoder, metric):
    with pytest.raises(BadInput, match=r"'enc' is an encoder; .* enc-probe, or train one with: .* train mnist-uat-probe"):
        run("enc", metric)


def test_a_sampler_of_another_kind_of_model_is_refused(encoder):
    with pytest.raises(BadInput, match="sampler 'rcs' needs a classifier; 'enc' is an encoder"):
        run("enc", "fid", sampler="rcs", **QUICK)


def test_more_samples_than_test_images_are_not_drawn(stored):
    assert run(metric="is", steps=1, count=1000)[0]["count"] == 30


def test_the_judge_is_never_compared_under_any_name(stored):
    with pytest.raises(BadInput, match="model 'stripes-judge' is a judge of stripes: it is never one of the compared nets"):
        run("stripes-judge", "fid")
    net, card = store.load("stripes-judge")
    store.save(net, replace(card, name="copy", role="model"))
    with pytest.raises(BadInput, match="model 'copy' is the judge 'stripes-judge' under another name"):
        run("copy", "is")
    assert run("stripes-judge", "jfs", count=5)[0]["value"] > 0  # it is measured where it does not judge


def test_a_second_judge_sees_the_same_samples_and_is_not_compared_either(stored):
    keep("stripes-judge-clean", 7, "judge")
    first, second = run(metric="fid", **QUICK)[0], run(metric="fid", extractor="judge-stripes-judge-clean", **QUICK)[0]
    assert second["extractor"] == "judge-stripes-judge-clean" and second["value"] != first["value"]
    assert kinds.judges("stripes") == ["stripes-judge", "stripes-judge-clean"] and kinds.judges("stripe") == []
    assert [card.name for card in kinds.compared("stripes")] == ["toy"]
    for judge in kinds.judges("stripes"):
        with pytest.raises(BadInput, match=f"'{judge}' is a judge of stripes"):
            run(judge, "fid", extractor="judge-stripes-judge")


def test_without_a_judge_the_error_says_how_to_train_it(stored):
    (stored / "models" / "stripes-judge.json").unlink()
    with pytest.raises(BadInput, match="train it with: python -m cemviz train stripes-judge --scale shipped") as error:
        run(metric="fid")
    assert error.value.field == "extractor"


def test_without_class_gaussians_the_error_says_how_to_make_them(stored):
    (stored / "models" / "seeds" / "stripes.safetensors").unlink()
    with pytest.raises(BadInput, match="make them with: python -m cemviz assets stripes --only seeds"):
        run(metric="is")
    assert run(metric="is", start="uniform", **QUICK)[0]["count"] == 12


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"extractor": "judge-toy"}, "extractor is 'judge-toy'; choose one of inception, judge-stripes-judge"),
        ({"sampler": "walk"}, "sampler is 'walk'; choose one of rcs"), ({"start": "void"}, "start is 'void'; choose one of"),
        ({"count": 1}, "count is 1; fid needs at least 2 images"), ({"steps": -1}, r"K \(steps\) is -1"),
    ],
)  # fmt: skip
def test_bad_input_of_samples_is_refused(stored, how, said):
    with pytest.raises(BadInput, match=said):
        run(metric="fid", **how)


def test_inception_is_taken_where_it_is_and_only_asked_for_where_it_is_not(stored, monkeypatch):
    eye = quality.Extractor("inception", torch.nn.Flatten(), torch.nn.Linear(192, 3))
    monkeypatch.setattr(quality, "inception_here", lambda: True)
    monkeypatch.setattr(quality, "inception", lambda device: eye)
    assert run(metric="fid", **QUICK)[0]["extractor"] == "inception"
    assert run(metric="fid", extractor="judge-stripes-judge", **QUICK)[0]["extractor"] == "judge-stripes-judge"


def test_inception_asked_for_where_it_is_not_is_refused(stored, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: "nowhere")
    with pytest.raises(LookupError, match=r"torch-fidelity is not installed|not on this machine"):
        run(metric="fid", extractor="inception", **QUICK)


@pytest.mark.parametrize("metric", ["jfs", "mfs"])
def test_fisher_scores_are_of_the_first_test_images_exact_for_a_relu_net(stored, metric):
    result, progress = run(metric=metric, count=20)
    net, test = store.load("toy")[0], images.load("stripes", "test").first(20)
    y = test.labels if metric == "jfs" else None
    c = fisher.logit_norm(net, test.floats())
    plain, equal = (fisher.gather(fisher.score(net, test.floats(), y, scale=s)) for s in (1.0, c))
    assert (result["method"], result["trace_error"]) == ("exact", 0) and (result["trace"] > 0) == (metric == "mfs")
    assert result["value"] == pytest.approx(plain.mean, rel=1e-4) and result["spread"] == pytest.approx(plain.spread, rel=1e-4)
    assert result["equal_norm"] == pytest.approx(equal.mean, rel=1e-4) and result["logit_norm"] == pytest.approx(c, rel=1e-4)
    assert result["value"] == pytest.approx(result["square"] + result["trace"], rel=1e-4)
    assert progress[-1] == Step(20, 20, f"score so far {result['value']:.4g}")


def test_a_smooth_net_is_estimated_by_random_signs_of_the_seed(stored):
    keep("smooth", 2, activation="silu", norm="none")
    result, _ = run("smooth", "jfs", count=10)
    assert result["method"] == "hutchinson" and result["trace_error"] > 0 and result["trace"] != 0
    assert run("smooth", "jfs", count=10, seed=1)[0]["trace"] != result["trace"]


def test_slow_metrics_take_fewer_images_unless_told(stored, monkeypatch):
    monkeypatch.setattr(module, "COUNT", 20)
    monkeypatch.setattr(module, "SLOW_COUNT", 6)
    keep("smooth", 2, activation="silu", norm="none")
    counts = {(m, k): run(m, k)[0]["count"] for m in ("toy", "smooth") for k in ("accuracy", "jfs", "mfs")}
    assert counts == {("toy", "accuracy"): 20, ("toy", "jfs"): 20, ("toy", "mfs"): 6,
                      ("smooth", "accuracy"): 20, ("smooth", "jfs"): 6, ("smooth", "mfs"): 6}  # fmt: skip
    assert run("toy", "mfs", count=9)[0]["count"] == 9


def test_robust_accuracy_carries_the_warnings_of_its_preflight(stored):
    assert run(metric="robust", count=9, steps=1)[0]["warnings"] == []
    net, card = store.load("toy")
    with torch.no_grad():
        net[-1].weight *= 1e5
    store.save({k: v.float() for k, v in net.state_dict().items()}, replace(card, name="loud"))
    (warning,) = run("loud", "robust", count=9, steps=1, attack="fgsm")[0]["warnings"]
    assert "gradient is exactly zero" in warning


def test_another_norm_wants_a_radius_of_its_own(stored):
    with pytest.raises(BadInput, match=r"'toy' has a radius for l2, .*; give ε \(radius\) for linf"):
        run(metric="robust", norm="linf", count=10)
    assert run(metric="robust", norm="linf", radius=0.01, count=10, steps=2)[0]["norm"] == "linf"


@pytest.mark.parametrize(("metric", "how"), [("accuracy", {}), ("robust", {"attack": "fgsm"})])
def test_answers_that_are_not_finite_are_wrong_and_counted(stored, monkeypatch, metric, how):
    net, card = store.load("toy")

    class Overflows(torch.nn.Module):
        """Not finite on images whose first pixel is dark, and right else."""

        def forward(self, x):
            return torch.where((x[:, 0, 0, 0] < 0.2)[:, None], x.flatten(1)[:, :1] * float("nan"), net(x))

    dark = int((images.load("stripes", "test").floats()[:, 0, 0, 0] < 0.2).sum())
    monkeypatch.setattr(store, "load", lambda name, device="cpu": (Overflows().eval(), card))
    result, _ = run(metric=metric, **how)
    assert dark and any(f"not finite for {dark} of 30 images" in warning for warning in result["warnings"])
    assert result["value"] <= 1 - dark / 30 + 1e-4


@pytest.mark.parametrize(
    ("metric", "how", "said"),
    [
        ("accuracy", {"attack": "pgd"}, "takes no attack; leave it out, or ask for the metric robust"),
        ("accuracy", {"radius": 1.0}, "takes no radius; leave it out, or ask for the metric robust or is or fid"),
        ("robust", {"sampler": "rcs"}, "takes no sampler; leave it out, or ask for the metric is or fid"),
        ("fid", {"norm": "linf"}, "takes no norm"),
        ("jfs", {"steps": 5}, "takes no steps"),
    ],
)
def test_what_has_no_bearing_on_a_metric_is_refused(stored, metric, how, said):
    with pytest.raises(BadInput, match=f"metric '{metric}' {said}"):
        run(metric=metric, **how)


def test_a_score_bounded_by_its_few_images_says_so(stored):
    result, _ = run(metric="is", steps=1, count=3)
    assert result["value"] == 1 and result["warnings"] == ["3 parts of 3 images score at most 1; give more"]
    assert run(metric="is", steps=1, count=30)[0]["warnings"] == []


def test_a_protocol_runs_its_attacks_with_steps_of_their_own(stored, monkeypatch):
    monkeypatch.setitem(PROTOCOLS, "autoattack", replace(PROTOCOLS["autoattack"], attacks=("apgd", "square")))
    monkeypatch.setitem(ATTACKS, "square", replace(ATTACKS["square"], steps=20))
    both, progress = run(metric="robust", count=12, attack="autoattack", radius=0.6)
    alone, _ = run(metric="robust", count=12, attack="apgd", radius=0.6)
    assert both["attack"] == "autoattack" and both["steps"] == {"apgd": 100, "square": 20} and both["radius"] == 0.6
    assert both["value"] <= alone["value"] and progress[-1].done == 12
    with pytest.raises(BadInput, match="'autoattack' has steps of its own; leave K"):
        run(metric="robust", attack="autoattack", steps=4)
