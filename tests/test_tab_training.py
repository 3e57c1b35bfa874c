"""The training tab without a page: its figures, its words, and a run from Start to a model, through its own handlers."""

import base64
import json
import threading
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from conftest import write_images
from tabs import page, wired

from cemviz.backend import store
from cemviz.backend.checks import MAX_SEED, BadInput
from cemviz.backend.device import choose
from cemviz.backend.kinds import KINDS
from cemviz.backend.requests import MAX_UPDATES, RunRequest
from cemviz.backend.studio import Studio
from cemviz.backend.train import live as training
from cemviz.backend.train.live import Update, run
from cemviz.backend.train.runs import heading as run_heading
from cemviz.backend.train.runs import unfinished
from cemviz.training.recipes import RECIPES, recipe
from cemviz.ui.controls import Session
from cemviz.ui.panels import Panels
from cemviz.ui.training import handlers as do
from cemviz.ui.training import tab as tab_training
from cemviz.ui.training import words as say
from cemviz.ui.training.handlers import compared, nearest, run_choices, runs_on_screen
from cemviz.ui.training.plots import BINS, FIGURES, ShownRun, both, energies, figure, frames, games, rates


def probe(step: int, seed: int = 0) -> dict:
    draw = np.random.default_rng(seed + step)
    return {
        "step": step, "clean": 0.5, "robust": 0.25, "consistency": 1.0, "contrastive": 2.0, "cosine": -0.5,
        "delta_x": {"joint": [1.0, 0.5], "marginal": [0.25, 0.125]},
        "delta_theta": {"joint": [-0.5, 0.25], "marginal": [0.0, 0.125]},
        "energies": {name: {e: list(draw.normal(size=64)) for e in ("joint", "marginal")}
                     for name in ("data", "adversarial", "sampled")},
    }  # fmt: skip


HISTORY = {
    "steps": [1, 2, 3, 4], "lr": [0.1] * 4, "terms": {"cross-entropy": [4.0, 3.0, 2.0, 1.0]},
    "probes": [probe(1), probe(4)],
}  # fmt: skip
OTHER = HISTORY | {"terms": {"energy gap": [0.0] * 4, "cross-entropy": [2.0] * 4}, "probes": [probe(1, 5)]}
A, B = ShownRun("one", HISTORY, 1), ShownRun("two", OTHER, 0)


def read(values: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(values["bdata"]), "<f4")


@pytest.mark.parametrize("key", FIGURES)
@pytest.mark.parametrize("runs", [[A], [A, B], [ShownRun("new", HISTORY | {"probes": []}, None)]])
def test_every_figure_is_one_that_plotly_knows(key, runs):
    told = json.loads(figure(key, runs))
    go.Figure(told)  # refuses a wrong property
    assert len([k for k in told["layout"] if k.startswith("yaxis")]) == len(runs) * (len(FIGURES[key].rows) or 2)


def test_curves_draw_steps_and_values_with_a_band_and_mark_the_probe():
    told = json.loads(figure("delta_x", [A]))
    low, high, mean = (read(trace["y"]) for trace in told["data"][:3])
    assert (mean == [1, 1]).all() and (low == [0.5, 0.5]).all() and (high == [1.5, 1.5]).all()
    assert (read(told["data"][2]["x"]) == [1, 4]).all() and told["layout"]["shapes"][0]["x0"] == 4
    assert [t["name"] for t in told["data"] if t.get("name")] == ["E(x, y)", "E(x)"]
    loss = json.loads(figure("loss", [A]))
    assert (read(loss["data"][0]["y"]) == [4, 3, 2, 1]).all()


def test_the_two_gradients_and_their_cosine_look_different():
    told = json.loads(figure("gradients", [A]))
    assert len({(t["line"]["color"], t["line"]["dash"]) for t in told["data"]}) == 3


def test_two_runs_share_axes_names_and_colours():
    told = json.loads(figure("loss", [A, B]))
    assert told["layout"]["yaxis2"]["matches"] == "y" and told["layout"]["xaxis"]["range"] == told["layout"]["xaxis2"]["range"]
    entropy = [t for t in told["data"] if t["name"] == "cross-entropy"]
    assert len({t["line"]["color"] for t in entropy}) == 1 and [t["showlegend"] for t in entropy] == [True, False]
    assert {t["line"]["dash"] for t in told["data"]} == {"solid", "dash"}
    assert [n["text"] for n in told["layout"]["annotations"]] == ["<b>A</b> one", "<b>B</b> two"]


def test_histograms_count_every_image_once_over_one_axis():
    told = json.loads(energies([A, B]))
    assert len(told["data"]) == 12
    for trace in told["data"]:
        assert read(trace["y"]).sum() == pytest.approx(1, abs=1e-5) and len(read(trace["x"])) == BINS + 1
        assert (read(trace["x"]) == read(told["data"][0]["x"])).all()


def test_the_figure_of_a_game_shows_its_k_travel_and_d_and_others_have_none():
    game = {"K": 7, "travel": 5.5, "D_data": 0.53, "D_moved": 0.49}
    at = {"steps": [1], "lr": [0.1], "terms": {"data": [0.7]}, "kind": "binary", "probes": [probe(1) | {"game": game}]}
    plain = {"steps": [1], "lr": [0.1], "terms": {"data": [0.7]}, "probes": [probe(1)]}
    binary, other = ShownRun("a", at, 0), ShownRun("b", plain, 0)
    told = json.loads(figure("game", [binary]))
    lines = {line["name"]: read(line["y"])[0] for line in told["data"] if line.get("name") in dict.fromkeys(
        ("K", "distance that p₀ is moved", "D on data", "D on moved p₀")
    )}  # fmt: skip
    assert list(lines.values()) == pytest.approx([7, 5.5, 0.53, 0.49]) and len(lines) == 4
    assert games([other, binary]) and not games([other])
    assert not json.loads(figure("game", [other]))["data"]


def test_panels_of_one_run_name_no_column():
    assert not Panels(1, ["x"], {}, "t").layout["annotations"]


@pytest.mark.parametrize(("step", "index"), [(None, 1), (0, 0), (2, 0), (3, 1), (99, 1)])
def test_the_probe_nearest_to_an_update_is_looked_at(step, index):
    assert nearest(HISTORY, step) == index and nearest({"probes": []}, step) is None


@pytest.mark.parametrize("name", RECIPES)
def test_every_row_is_told_with_its_source(name):
    for scale in RECIPES[name]:
        row = recipe(name, scale)
        told = say.recipe(row, scale)
        assert row.title in told.replace("&amp;", "&") and row.objective in say.OBJECTIVES and f"{row.steps:,} ×" in told
        assert ("wants an accelerator" in told) == (scale == "paper")


def test_words_say_how_a_run_stands():
    update = Update("m", "running", 3, 8, 12.0, 200.0)
    assert say.standing(update) == "**m** trains: update 3 of 8, 12 s so far, about 3 min to go."
    assert "Resume" in say.standing(replace(update, state="paused")) and "2 before" in say.standing(
        replace(update, state="waiting", waiting=2)
    )
    assert "Nothing was done" in say.standing(replace(update, state="paused", step=0, steps=0))
    told = say.numbers([A, ShownRun("new", HISTORY, None)])
    assert "+1 ± 0.5" in told and "50%, 25%" in told and told.count("<td>–</td>") == 7 and not say.numbers([])
    assert "<b>" not in say.table([("<b>", "<i>")])


@pytest.mark.parametrize("name", KINDS)
def test_energies_and_accuracies_bear_the_names_of_the_run_s_kind(name):
    history, row = HISTORY | {"kind": name}, KINDS[name]
    told = json.loads(figure("delta_x", [ShownRun("one", history, 1)]))
    assert [t["name"] for t in told["data"] if t.get("name")] == list(row.view.energies.values())
    lines = rates(history)
    assert list(lines) == list(row.rates) and [lines[title][0, 1] for title in row.rates] == [0.5, 0.25]
    assert f"Δₓ {row.view.energies['joint']}".replace("Δₓ", "Δ<sub>x</sub>") in say.numbers([ShownRun("one", history, 1)])


def test_an_encoder_has_no_accuracy_of_its_own():
    assert list(rates(HISTORY)) == ["clean", "under PGD"]
    assert list(rates(HISTORY | {"kind": "encoder"})) == ["nearest neighbour", "after an attack on InfoNCE"]


def test_curves_of_no_kind_are_of_classifiers_and_unknown_ones_are_refused(monkeypatch):
    assert both(HISTORY) == KINDS["classifier"].view.energies != KINDS["encoder"].view.energies
    with pytest.raises(BadInput, match="kind of the run is 'odd'; choose one of classifier, encoder"):
        both(HISTORY | {"kind": "odd"})
    monkeypatch.setitem(KINDS, "odd", replace(KINDS["classifier"], view=None))
    assert both(HISTORY | {"kind": "odd"}) == {"joint": "joint", "marginal": "marginal"}


# ------------------------------------------------------------------------------------------------------ the handlers


@pytest.fixture
def studio(places, monkeypatch):
    for split, seed in (("train", 1), ("test", 2)):
        write_images(places / "data" / "mnist" / split, 3, seed, tuple("0123456789"), side=28, grey=True)
    row = replace(RECIPES["mnist-standard"]["evidence"], net_args={"width": 4}, steps=4, batch=10, images=None, radius=0.3)
    monkeypatch.setitem(RECIPES, "tiny", {"evidence": row})
    monkeypatch.setattr(training, "RATE", 1e9)
    monkeypatch.setattr("cemviz.backend.train.run.curves.PROBES", 1)
    return Studio(choose("cpu"))


@pytest.fixture
def held():
    return Session()


def ran(frames):
    """The frames of a run, each checked to change what the tab expects."""
    for changes in frames:
        assert set(changes) <= set(do.RAN)
        yield changes


def begin(studio, held, **changes):
    asked = {"recipe": "tiny", "scale": "evidence", "steps": 4, "seed": 0, "name": "my-run", "download": False}
    return ran(do.begin(studio, held, **{**asked, **changes}))


def resume(studio, held):
    return ran(do.resume(studio, held, pending="my-run", download=False))


def test_the_first_view_without_any_run_is_the_recipe_and_a_sentence(studio, held):
    _, tab = page(tab_training, studio)
    function, _, outputs = tab.draw
    told = function(held, "mnist-at-linf", "paper", 312, None, "none", 100)
    assert set(told) <= set(outputs) and tab.params.keys() == tab_training.NAMES.keys()
    changes = {component.elem_id: value for component, value in told.items()}
    assert changes["train-status"] == say.NOTHING
    assert "L∞ ≤ 0.2" in changes["train-row"] and changes["train-scale"]["value"] == "evidence"  # it has no paper row


def test_the_first_view_of_a_run_shows_its_curves_and_what_is_unfinished(studio, held):
    work = begin(studio, held)
    next(work), work.close()
    asked = {"recipe": "tiny", "scale": "evidence", "steps": 4, "a": "my-run", "b": do.NONE, "chosen": 100}
    changes = do.opening(studio, Session(), **asked)
    assert changes["status"] == "" and all(changes[key] for key in FIGURES) and changes["kept"]["visible"]
    assert changes["pending"] == {"choices": ["my-run"], "value": "my-run", "__type__": "update"}


def test_every_address_control_is_interactive_and_every_endpoint_private(studio):
    blocks, tab = page(tab_training, studio)
    assert all(component.interactive for component in tab.params.values())
    assert all(name.startswith("t.") and part.elem_id.startswith("train-") for name, part in tab.params.items())
    assert not [fn.name for fn in blocks.fns.values() if fn.api_visibility != "private"]
    assert tab.params["t.steps"].maximum == MAX_UPDATES and tab.params["t.seed"].maximum == MAX_SEED


def test_every_event_calls_its_handler(studio):
    buttons = {"start": "begin", "pause": "halt", "resume": "resume", "discard": "discard"}
    controls = {"recipe": "choose", "scale": "choose", "pending": "offer", "a": "others", "b": "others", "look": "view"}
    assert wired(tab_training, studio) == {
        **{f"train-{name}.click": handler for name, handler in buttons.items()},
        **{f"train-{name}.{'input' if name in ('scale', 'look') else 'select'}": handler for name, handler in controls.items()},
        **{f"train-{key}.select": "send" for key in FIGURES if key != "energies"},
        "train-steps.change": "explain",
        "train-frames.select": "send",
    }


def test_start_pause_resume_and_the_model_is_in_the_menus(studio, held):
    frames = begin(studio, held)
    first = next(frames)
    assert "update 1 of 4" in first["status"] and first["a"]["value"] == "my-run" and first["b"] == do.NONE
    assert all(first[key] for key in FIGURES)
    second = next(frames)
    assert second["loss"] and "accuracy" not in second  # no new probe, no new figure
    with pytest.raises(BadInput, match="pause it first"):
        next(begin(studio, held, name="my-other"))
    assert "Pausing" in do.halt(studio, held)["status"]
    *_, paused, last = frames
    assert "is paused" in paused["status"] and last["pending"]["value"] == "my-run" and last["kept"]["visible"]
    assert last["resume"] == "Resume" and ("my-run (unfinished)", "my-run") in run_choices()
    assert "Nothing is running" in do.halt(studio, held)["status"]
    *_, done, last = resume(studio, held)
    assert "is trained" in done["status"] and last["name"] == "my-tiny" and not last["kept"]["visible"]
    assert held.state["train.live"] is None  # its curves are on the disk now
    assert "my-run" in store.cards() and ("my-run", "my-run") in compared() and not unfinished()
    assert do.opened() == "my-run"


def test_a_look_at_another_update_stays_there_while_the_run_goes_on(studio, held):
    frames = begin(studio, held)
    next(frames)
    assert do.view(studio, held, a="my-run", b="none", at=0)["numbers"] and held.state["train.at"] == 0
    list(frames)
    assert held.state["train.at"] == 0 and [run.at for run in runs_on_screen(held)] == [0]
    again = do.others(studio, held, a="my-run", b="my-run")
    assert held.state["train.at"] == 0 and again["at"]["value"] == 0 and len(runs_on_screen(held)) == 1
    do.view(studio, held, a="my-run", b="none", at=4)
    assert held.state["train.at"] is None and [run.at for run in runs_on_screen(held)] == [1]


def test_a_click_on_a_curve_looks_at_its_update(studio, held):
    list(begin(studio, held))
    blocks, _ = page(tab_training, studio)
    clicks = [fn.fn for fn in blocks.fns.values() if fn.name == "send"]
    assert len(clicks) == len(FIGURES)  # histograms have no updates, and the view of the frames has
    for click, at in ((clicks[0], {"step": 1}), (clicks[-1], {"x": 1})):
        do.view(studio, held, a="my-run", b="none", at=4)
        event = type("Event", (), at)()
        changes = {component.elem_id: value for component, value in click(event, held, "my-run", "none").items()}
        assert changes["train-look"]["value"] == 1 and held.state["train.at"] == 1


def test_after_a_divergence_the_guard_s_words_and_another_try_are_offered(studio, held, monkeypatch):
    frames = begin(studio, held)
    next(frames)
    with monkeypatch.context() as patch:
        patch.setattr("cemviz.training.loop.LIMIT", 0.0)
        *_, stopped, last = frames
    assert "The guard stopped the run" in stopped["status"] and "lower lr" in stopped["status"]
    assert last["resume"] == "Try again with half the step" == do.offer(studio, held, pending="my-run")["resume"]
    assert do.offer(studio, held, pending=None)["resume"] == "Resume"
    *_, done, _ = resume(studio, held)
    assert "is trained" in done["status"] and store.read_card("my-run").notes.startswith("diverged")


def test_frames_of_a_run_grow_while_it_goes_on_and_play_once_it_is_chosen(studio, held):
    counts = []
    for changes in begin(studio, held):
        if changes.get("frames"):
            payload = json.loads(changes["frames"])
            (panel,) = payload["panels"]
            assert (panel["name"], payload["at"], payload["play"]) == ("my-run", None, False)
            counts.append([shot["step"] for shot in panel["frames"]])
    assert counts[0] == [1] and counts[-1] == [1, 2, 3, 4]
    chosen = json.loads(do.others(studio, held, a="my-run", b="my-run")["frames"])
    assert chosen["play"] and [step for step, _ in chosen["panels"][0]["loss"]] == [1, 2, 3, 4]
    do.view(studio, held, a="my-run", b="none", at=0)
    looked = json.loads(do.pictured(held)["frames"])
    assert (looked["at"], looked["play"]) == (0, False), "who looks at an update wants it to stay"


def test_curves_without_frames_show_no_pictures_and_a_run_beside_one_says_so():
    assert frames([A, B], None, True) is None
    shots = [{"step": 2, "sprite": "data:,", "read": 3}]
    with_frames = ShownRun("new", HISTORY | {"frames": {"classes": ["0"], "judge": "j", "count": 4, "shots": shots}}, 1)
    old, new = json.loads(frames([A, with_frames], 2, False))["panels"]
    assert (old["frames"], old["judge"]) == ([], "") and (new["frames"], new["count"]) == (shots, 4)
    two_terms = OTHER | {"frames": with_frames.history["frames"]}
    (panel,) = json.loads(frames([ShownRun("two", two_terms, 0)], None, True))["panels"]
    assert panel["loss"] == [[step, 2.0] for step in (1, 2, 3, 4)], "the sum of the terms"


def test_discarding_takes_the_run_from_the_menus_and_the_screen(studio, held):
    frames = begin(studio, held)
    next(frames), frames.close()
    assert not held.state["train.going"] and do.opened() == "my-run"
    changes = do.discard(studio, held, pending="my-run")
    assert set(changes) <= set(do.RAN) and "discarded" in changes["status"] and not run_choices() and not runs_on_screen(held)
    assert changes["a"]["value"] is None and changes["b"] == do.NONE and changes["loss"] is None
    assert changes["kept"]["visible"] is False and changes["pending"]["choices"] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": None}, "steps is empty"), ({"seed": None}, "seed is empty"), ({"name": "mnist-at"}, "another model"),
        ({"steps": 0}, "steps is 0; give a whole number from 1"), ({"recipe": "nope"}, "recipe is 'nope'"),
    ],
)  # fmt: skip
def test_bad_requests_are_named_and_leave_nothing_going(studio, held, change, words):
    with pytest.raises(BadInput, match=words):
        next(begin(studio, held, **change))
    assert not held.state.get("train.going")


def test_to_go_on_wants_an_unfinished_run(studio, held):
    for name in (None, "gone"):
        with pytest.raises(BadInput, match="choose an unfinished run first"):
            next(do.resume(studio, held, pending=name, download=False))


def test_another_recipe_brings_its_scales_updates_and_a_free_name(studio, held):
    changes = do.choose(studio, held, recipe="cifar10-at", scale="paper")
    assert changes["scale"]["value"] == "paper" and changes["steps"] == RECIPES["cifar10-at"]["paper"].steps
    assert changes["name"] == "my-cifar10-at" and "accelerator" in changes["row"]
    assert changes["download"]["visible"] and changes["download"]["label"] == "download CIFAR-10 (163 MB)"
    tiny = do.choose(studio, held, recipe="tiny", scale="paper")
    assert (tiny["scale"]["choices"], tiny["scale"]["value"], tiny["steps"]) == (["evidence"], "evidence", 4)


def test_another_number_of_updates_is_in_the_table(studio, held):
    changes = do.explain(studio, held, recipe="tiny", scale="evidence", steps=7)
    assert "7 × 10" in changes["row"] and changes["download"]["visible"] is False


def test_another_visitor_s_run_is_listed_while_it_goes_on(studio):
    going = run(Studio(choose("cpu")), RunRequest("tiny", name="my-theirs"), threading.Event())
    next(going)
    assert ("my-theirs (unfinished)", "my-theirs") in run_choices()
    going.close()


@pytest.mark.parametrize(
    ("name", "heading"),
    [("mnist-at-flat-evidence", "Adversarial, flat head"), ("mnist-jeat", "JEAT (L∞ .2)"), ("my-first", "my-first")],
)
def test_a_recipe_s_own_run_is_headed_by_its_words_and_any_other_by_its_name(name, heading):
    assert run_heading(name) == heading
