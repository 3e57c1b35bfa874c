"""The training tab without a browser: its figures, its words, and a run from Start to a model, through its own handlers."""

import base64
import json
import threading
from dataclasses import replace

import gradio as gr
import numpy as np
import plotly.graph_objects as go
import pytest
from conftest import write_images

from cemviz.backend import store, training
from cemviz.backend.device import choose
from cemviz.backend.runs import RunRequest, unfinished
from cemviz.backend.studio import Studio
from cemviz.backend.training import Update, run
from cemviz.training.recipes import RECIPES, recipe
from cemviz.ui import tab_training
from cemviz.ui import words_training as say
from cemviz.ui.controls import Session
from cemviz.ui.panels import Panels
from cemviz.ui.plots_training import BINS, FIGURES, Shown, energies, figure
from cemviz.ui.tab_training import compared, known, nearest, shown


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
A, B = Shown("one", HISTORY, 1), Shown("two", OTHER, 0)


def read(values: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(values["bdata"]), "<f4")


@pytest.mark.parametrize("key", FIGURES)
@pytest.mark.parametrize("runs", [[A], [A, B], [Shown("new", HISTORY | {"probes": []}, None)]])
def test_every_figure_is_one_that_plotly_knows(key, runs):
    told = json.loads(figure(key, runs))
    go.Figure(told)  # refuses a wrong property
    assert len([k for k in told["layout"] if k.startswith("yaxis")]) == len(runs) * (len(FIGURES[key].rows) or 2)


def test_curves_draw_steps_and_values_with_a_band_of_one_deviation_and_mark_the_probe():
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
    told = say.numbers([A, Shown("new", HISTORY, None)])
    assert "+1 ± 0.5" in told and "50%, 25%" in told and told.count("<td>–</td>") == 7 and not say.numbers([])
    assert "<b>" not in say.table([("<b>", "<i>")])


# ------------------------------------------------------------------------------------------------------ the handlers


class Page:
    """The tab alone, and its handlers by control and event."""

    def __init__(self, studio: Studio) -> None:
        with gr.Blocks() as self.blocks:
            self.tab = tab_training.build(gr.State(None), studio)
        self.by_id = {block.elem_id: block for block in self.blocks.blocks.values() if getattr(block, "elem_id", None)}
        self.held = Session()

    def fire(self, elem_id: str, event: str, *values):
        block = self.by_id[f"train-{elem_id}"]
        (found,) = [f for f in self.blocks.fns.values() if (block._id, event) in f.targets]
        return found.fn(*values)

    def value(self, changes: dict, elem_id: str):
        value = changes[self.by_id[f"train-{elem_id}"]]
        return value.get("value") if isinstance(value, dict) else value


@pytest.fixture
def page(places, monkeypatch):
    for split, seed in (("train", 1), ("test", 2)):
        write_images(places / "data" / "mnist" / split, 3, seed, tuple("0123456789"), side=28, grey=True)
    row = replace(RECIPES["mnist-standard"]["evidence"], net_args={"width": 4}, steps=4, batch=10, images=None, radius=0.3)
    monkeypatch.setitem(RECIPES, "tiny", {"evidence": row})
    monkeypatch.setattr(training, "RATE", 1e9)
    monkeypatch.setattr("cemviz.backend.curves.PROBES", 1)
    return Page(Studio(choose("cpu")))


def begin(page, name="my-run"):
    return page.fire("start", "click", page.held, "tiny", "evidence", 4, 0, name, False)


def test_the_first_view_without_any_run_is_the_recipe_and_a_sentence(page):
    function, _, outputs = page.tab.draw
    changes = function(page.held, "mnist-at-linf", "paper", 312, None, "none", 100)
    assert set(changes) <= set(outputs) and page.value(changes, "status") == say.NOTHING
    assert "L∞ ≤ 0.2" in page.value(changes, "row") and page.value(changes, "scale") == "evidence"  # it has no paper row


def test_start_pause_resume_and_the_model_is_in_the_menus(page):
    frames = begin(page)
    first = next(frames)
    assert "update 1 of 4" in page.value(first, "status") and page.value(first, "a") == "my-run"
    assert all(page.value(first, key) for key in FIGURES)
    second = next(frames)
    assert page.value(second, "loss") and page.by_id["train-accuracy"] not in second  # no new probe, no new figure
    with pytest.raises(gr.Error, match="pause it first"):
        next(begin(page, "my-other"))
    assert "Pausing" in page.fire("pause", "click", page.held)
    last = list(frames)
    assert "is paused" in page.value(last[-2], "status") and page.value(last[-1], "pending") == "my-run"
    assert page.value(last[-1], "resume") == "Resume" and ("my-run (unfinished)", "my-run") in known()
    assert "Nothing is running" in page.fire("pause", "click", page.held)
    done = list(page.fire("resume", "click", page.held, "my-run", False))
    assert "is trained" in page.value(done[-2], "status") and page.value(done[-1], "name") == "my-tiny"
    assert "my-run" in store.cards() and ("my-run", "my-run") in compared() and not unfinished()


def test_a_look_at_another_update_stays_there_while_the_run_goes_on(page):
    frames = begin(page)
    next(frames)
    changes = page.fire("look", "input", page.held, "my-run", "none", 0)
    assert page.held.held["train.at"] == 0 and page.value(changes, "numbers")
    list(frames)
    assert page.held.held["train.at"] == 0 and [run.at for run in shown(page.held)] == [0]
    page.fire("look", "input", page.held, "my-run", "none", 4)
    assert page.held.held["train.at"] is None and [run.at for run in shown(page.held)] == [1]


def test_after_a_divergence_the_guard_s_words_and_another_try_are_offered(page, monkeypatch):
    frames = begin(page)
    next(frames)
    with monkeypatch.context() as patch:
        patch.setattr("cemviz.training.loop.LIMIT", 0.0)
        last = list(frames)
    assert "The guard stopped the run" in page.value(last[-2], "status") and "lower lr" in page.value(last[-2], "status")
    assert page.value(last[-1], "resume") == "Try again with half the step"
    done = list(page.fire("resume", "click", page.held, "my-run", False))
    assert "is trained" in page.value(done[-2], "status") and store.read_card("my-run").notes.startswith("diverged")


def test_discarding_takes_the_run_from_the_menus_and_the_screen(page):
    frames = begin(page)
    next(frames), frames.close()
    assert not page.held.held["train.going"]
    changes = page.fire("discard", "click", page.held, "my-run")
    assert "discarded" in page.value(changes, "status") and not known() and not shown(page.held)


@pytest.mark.parametrize(
    ("place", "value", "words"), [(2, None, "updates is empty"), (3, None, "seed is empty"), (4, "mnist-at", "another model")]
)
def test_bad_requests_reach_the_visitor_as_messages(page, place, value, words):
    values = [page.held, "tiny", "evidence", 4, 0, "my-run", False]
    values[place + 1] = value
    with pytest.raises(gr.Error, match=words):
        next(page.fire("start", "click", *values))
    assert not page.held.held.get("train.going")


def test_another_recipe_brings_its_scales_updates_and_a_free_name(page):
    changes = page.fire("recipe", "input", "cifar10-at", "paper")
    assert page.value(changes, "scale") == "paper" and page.value(changes, "steps") == RECIPES["cifar10-at"]["paper"].steps
    assert page.value(changes, "name") == "my-cifar10-at" and "accelerator" in page.value(changes, "row")
    box = changes[page.by_id["train-download"]]
    assert box["visible"] and box["label"] == "download CIFAR-10 (163 MB)"


def test_another_visitor_s_run_is_listed_while_it_goes_on(page):
    going = run(Studio(choose("cpu")), RunRequest("tiny", name="my-theirs"), threading.Event())
    next(going)
    assert ("my-theirs (unfinished)", "my-theirs") in known()
    going.close()
