"""Values that an address may set: every kind of control takes what fits it, clamped to its range, and nothing else."""

import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import pytest
from gradio.state_holder import StateHolder

from cemviz.backend import store
from cemviz.backend.device import choose
from cemviz.backend.presets import LANDSCAPE, PLAY, SAMPLE
from cemviz.backend.studio import Studio
from cemviz.ui.address import read
from cemviz.ui.controls import Session
from cemviz.ui.page import TABS, build
from cemviz.ui.results.words import SEE
from cemviz.ui.start.words import OPENING, STATIONS

NUMBER = gr.Number(0.5, minimum=0, maximum=10, render=False)
WHOLE = gr.Number(1, minimum=0, precision=0, render=False)
SLIDER = gr.Slider(1, 256, 16, step=1, render=False)
FINE = gr.Slider(0.5, 12, 6, step=0.5, render=False)
MENU = gr.Dropdown([("Standard", "a"), ("Robust", "b")], render=False)
SEVERAL = gr.Dropdown([("Standard", "a"), ("Robust", "b"), ("Third", "c")], multiselect=True, render=False)
LIST = gr.CheckboxGroup(["x", "y"], render=False)
BOX = gr.Checkbox(render=False)
TEXT = gr.Textbox(render=False)
PAD = gr.HTML(render=False)


@pytest.mark.parametrize(
    ("component", "text", "value"),
    [
        (NUMBER, "0.25", 0.25), (NUMBER, "-3", 0), (NUMBER, "1e9", 10), (NUMBER, "inf", 10), (NUMBER, "2", 2),
        (WHOLE, "7.9", 7), (WHOLE, "-1", 0), (SLIDER, "999", 256), (SLIDER, "3.7", 3), (FINE, "2.5", 2.5), (FINE, "0", 0.5),
        (MENU, "b", "b"), (SEVERAL, "c,a", ["c", "a"]), (SEVERAL, "c,nope", ["c"]), (LIST, "y", ["y"]),
        (PAD, "drawn:AB-_9", "drawn:AB-_9"),
        (SEVERAL, "", []), (LIST, "", []), (BOX, "true", True), (BOX, "false", False), (TEXT, "3, 7", "3, 7"), (TEXT, "", ""),
    ],
)  # fmt: skip
def test_a_value_that_fits_is_taken_and_one_beyond_the_range_is_clamped(component, text, value):
    told = read(component, text)
    assert told == value and type(told) is type(value)


@pytest.mark.parametrize(
    ("component", "text"),
    [
        (NUMBER, "nan"), (NUMBER, "two"), (NUMBER, ""), (WHOLE, "inf"), (SLIDER, "<b>"),
        (MENU, "c"), (MENU, "Robust"), (MENU, ""),
        (SEVERAL, "nope"), (LIST, "z"), (BOX, "1"), (TEXT, "<script>"), (TEXT, "x" * 81), (TEXT, "a/b"),
        (gr.HTML(render=False), "anything"),
    ],
)  # fmt: skip
def test_anything_else_leaves_the_control_as_it_is(component, text):
    told = read(component, text)
    assert isinstance(told, dict) and "value" not in told


def test_a_menu_is_asked_for_its_choices_by_now():
    assert read(MENU, "new", [("A model trained since", "new"), "plain"]) == "new"
    assert read(MENU, "plain", [("A model trained since", "new"), "plain"]) == "plain"
    assert isinstance(read(MENU, "a", [("A model trained since", "new")]), dict)


@pytest.fixture(scope="module")
def restored():
    """Values that an address sets on the page with the models that ship: name in the address -> the control's update."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CEMVIZ_CHECKPOINTS", str(Path(__file__).parents[1] / "checkpoints"))
        page = build(Studio(choose("cpu")))
        (load,) = (event for event in page.fns.values() if event.name == "restore")

        def ask(**address):
            changes = load.fn(Session(), SimpleNamespace(query_params=address))
            return {component.elem_id: change for component, change in changes.items()}

        ask.load = load.fn
        ask.names = load.fn.__self__.params.keys()
        yield ask


def test_no_number_begins_empty(restored):
    """A browser shows 0 where a number has no value, which may be none that its field takes."""
    parts = restored.load.__self__.params.values()
    assert [part.label for part in parts if isinstance(part, gr.Number | gr.Slider) and part.value is None] == []


@pytest.mark.parametrize("key", SAMPLE)
def test_a_story_in_the_address_sets_all_of_its_runs(restored, key):
    told, runs = restored(**{"s.story": key}), SAMPLE[key].runs
    for letter, run in zip("ab", (runs[0], runs[-1]), strict=True):
        assert told[f"samp-sampler-{letter}"]["value"] == run.sampler
    assert told["sel-a"]["value"] == runs[0].model and told["samp-count"]["value"] == runs[0].count
    assert told["samp-features"]["value"] == runs[0].features and told["samp-story"]["value"] == SAMPLE[key].story


def test_a_tab_is_drawn_when_it_is_open_and_looks_at_something_else(restored):
    held, address = Session(), restored.load.__self__
    numbers = [4] * len(address.redraw)

    def asked(handler, given, a="mnist-at", x="grid:4", y="none", seed=0, filed=""):
        changes = handler(held, given, filed, a, "none", x, y, seed, *numbers)
        return {key for key, part in address.redraw.items() if changes.get(part) == 5}

    opened = address.opening("playground")
    assert not asked(opened, False), "the browser has not yet what the address asks for"
    assert asked(address.begin, "playground") == {"playground"} and not asked(address.begin, "playground")
    assert not asked(address.begin, None), "no tab is on screen"
    assert not asked(opened, True) and not asked(opened, True, a="mnist-jeat"), "it looks at no net"
    opened = address.opening("landscape")
    assert asked(opened, True) == {"landscape"} and not asked(opened, True)
    assert asked(opened, True, y="3") == {"landscape"}
    assert asked(opened, True, x="grid:5") == {"landscape"} and asked(opened, True, a="mnist-jeat", x="grid:5") == {"landscape"}
    link = SimpleNamespace(query={"tab": "landscape", "a": "mnist-at"})
    changes = address.go(link, held, "mnist-at", "none", "grid:5", "none", 0, *numbers)
    assert not changes.keys() & set(address.redraw.values()), "the browser has not yet what the link asks for"
    assert not asked(opened, True, x="grid:4"), "nor where its tab tells first that it is open"
    assert asked(address.begin, "playground", x="grid:5") == {"landscape"}, "a link draws again, whatever is shown and open"
    assert held.selections["landscape"][:2] == ("mnist-at", "none") and not asked(address.begin, "landscape", x="grid:5")


def test_a_tab_whose_view_is_a_file_is_drawn_once_it_looks_at_something_else(restored):
    held, address = Session(), restored.load.__self__
    numbers, begun = [4] * len(address.redraw), [part.value for part in address.selection.parts.values()]

    def asked(handler, given, filed, seed=0):
        changes = handler(held, given, filed, *begun[:-1], seed, *numbers)
        return {key for key, part in address.redraw.items() if changes.get(part) == 5}

    opened = address.opening("landscape")
    for shown in ("landscape", "lab,landscape"):
        assert not asked(opened, True, shown) and not asked(address.begin, "landscape", shown)
        assert not asked(address.selected, "landscape", shown)
    assert asked(address.selected, "landscape", "landscape", seed=1) == {"landscape"}
    assert asked(opened, True, "landscape") == {"landscape"}, "the file's selection again, but another was drawn since"
    held.selections.clear()
    assert asked(opened, True, "lab") == {"landscape"} and not asked(opened, True, "lab")


def test_another_selection_is_drawn_at_once_unless_the_view_is_dear(restored):
    held, address = Session(), restored.load.__self__
    numbers = [4] * len(address.redraw)

    def chosen(key, seed=0):
        return address.selected(held, key, None, "mnist-at", "none", "grid:4", "none", seed, *numbers)

    assert address.redraw["landscape"] in chosen("landscape")
    assert chosen("sampling") == {address.open: "sampling"} and chosen("landscape", None) == {address.open: "landscape"}
    assert not any(part in address.redraw.values() for part in chosen("results"))


def test_older_names_of_the_selection_go_on_working(restored):
    old = {"tab": "sampling", "s.a": "mnist-at", "s.b": "mnist-standard", "s.seed": "5", "r.model": "mnist-jeat"}
    told = restored(**old)
    assert [told[f"sel-{name}"]["value"] for name in ("a", "b", "seed")] == ["mnist-at", "mnist-standard", 5]
    assert restored(**old | {"tab": "robustness"})["sel-a"]["value"] == "mnist-jeat", "the open tab's name wins"
    assert restored(**old | {"a": "mnist-trades"})["sel-a"]["value"] == "mnist-trades", "and its name now wins over all"
    four = restored(**{"l.models": "mnist-jeat,mnist-jem,mnist-at-linf,mnist-prejeat", "l.image": "gallery:1"})
    assert (four["sel-a"]["value"], four["sel-b"]["value"], four["sel-x"]["value"]) == ("mnist-jeat", "mnist-jem", "gallery:1")
    assert four["land-more"]["value"] == ["mnist-at-linf", "mnist-prejeat"]
    assert restored(**{"l.models": "mnist-at"})["sel-b"]["value"] == "none"


def test_the_class_and_the_picture_are_those_of_net_a_s_data_set(restored):
    of_colour = restored(a="cifar10-at", y="7", x="upload:" + "A" * 4096)
    assert of_colour["sel-y"]["value"] == "horse" and ("horse", "horse") in of_colour["sel-y"]["choices"]
    assert of_colour["sel-x"]["value"] == "upload:" + "A" * 4096 and of_colour["sel-x"]["choices"][-1][0] == "your picture"
    of_digits = restored(a="mnist-at", y="7", x="upload:" + "A" * 4096)
    assert of_digits["sel-y"]["value"] == "7" and of_digits["sel-x"]["value"] == "grid:4"
    assert restored(**{"s.classes": "3"})["sel-y"]["value"] == "3", "an older address"
    several = restored(**{"s.classes": "3,7"})
    assert (several["sel-y"]["value"], several["samp-classes"]["value"]) == ("none", "3,7")


@pytest.mark.parametrize(("a", "b"), [("cifar10-binary", "mnist-at"), ("cifar10-at", None), ("cifar10-uat", "mnist-uat")])
def test_a_net_b_of_another_data_set_gives_way_to_the_address_s_net_a(restored, a, b):
    told = restored(a=a, **({"b": b} if b else {}))
    cards = store.cards()
    now = told["sel-b"]["value"]
    assert told["sel-a"]["value"] == a and (now == "none" or cards[now].data == cards[a].data)
    assert restored(a="cifar10-at", b="cifar10-uat")["sel-b"]["value"] == "cifar10-uat", "one that fits stays"


def test_a_drawing_may_be_the_picture_of_an_address(restored):
    drawing = "drawn:" + "A" * 523
    told = restored(x=drawing)["sel-x"]
    assert told["value"] == drawing and told["choices"][-1] == ("your drawing", drawing)
    assert restored(x="drawn:<script>")["notice"]["visible"] is True


def test_a_painting_and_a_dragged_p0_may_be_those_of_an_address(restored):
    told = restored(**{"p.preset": "minimax", "p.data": (painting := "painted:" + "_" * 342), "p.p0": "ring@0.1,0,0.5"})
    assert told["play-data"]["value"] == painting and told["play-data"]["choices"][-1] == ("Painted", painting)
    assert told["play-p0"]["value"] == "ring@0.1,0,0.5" and len(told["play-p0"]["choices"]) == 5
    assert told["play-rule"]["value"] == "minimax" and told["notice"]["visible"] is False
    for name, lost in (
        ("p.data", "painted:" + "A" * 342),
        ("p.data", "painted:<b>"),
        ("p.p0", "ring@9,9"),
        ("p.p0", "<b>@1,1"),
    ):
        told = restored(**{name: lost})
        assert f"`{name}=...`" in told["notice"]["value"] and "value" not in told.get("play-data", {})


WORKSHEET = Path(__file__).parents[1] / "docs" / "teaching.md"
LINKS = [
    *re.findall(r"http://127\.0\.0\.1:7860/\?([^)]*)\)", WORKSHEET.read_text(encoding="utf-8")),
    *(station.opens.removeprefix("?") for station in (OPENING, *STATIONS)),
    *(link.removeprefix("?") for link in SEE.values()),
    *(link for preset in SAMPLE.values() for link in re.findall(r"\]\(\?([^)]*)\)", preset.story)),
]
"""Addresses in the worksheet, the tour, the results and the stories."""


@pytest.mark.parametrize("link", LINKS)
def test_every_link_of_ours_names_only_what_is_there(restored, link):
    asked = dict(parse_qsl(link))
    assert asked["tab"] in TABS and len(LINKS) > 20
    assert restored(**asked)["notice"]["visible"] is False
    assert asked.keys() - {"tab"} <= restored.names, "a name that the page does not know"


@pytest.mark.parametrize(("key", "model", "sampler"), [("maxent-pgd", "mnist-at", "rcs"), ("rcs-ta", "mnist-uat", "maxent")])
def test_the_address_overrides_its_story_even_with_another_kind(restored, key, model, sampler):
    told = restored(**{"s.story": key, "s.a": model, "s.as": sampler, "s.eta": "0.5", "s.numbers": "santurkar"})
    assert (told["sel-a"]["value"], told["samp-sampler-a"]["value"]) == (model, sampler)
    assert sampler in [choice for _, choice in told["samp-sampler-a"]["choices"]]
    assert told["samp-eta"]["value"] == 0.5 and told["samp-setting"]["value"] == "santurkar"


def test_stories_of_the_other_tabs_are_told_too(restored):
    told = restored(**{"l.story": "pairs", "l.seed": "4", "p.preset": "minimax"})
    assert (told["sel-a"]["value"], told["sel-b"]["value"]) == LANDSCAPE["pairs"].request.models
    assert told["sel-seed"]["value"] == 4
    assert told["play-p0"]["value"] == PLAY["minimax"].rules.p0
    assert "value" not in restored(**{"l.story": "nope"}).get("sel-a", {})


def test_what_an_address_asks_for_in_vain_is_named(restored):
    assert (
        restored(**{"l.models": "mnist-at,mnist-standard", "s.eta": "99", "s.classes": "", "p.seed": "1"})["notice"]["visible"]
        is False
    )
    told = restored(**{"l.models": "mnist-at,mine", "s.story": "nope", "s.eta": "<b>", "l.seed": "3", "unknown": "x"})
    assert told["notice"]["visible"] is True and told["sel-a"]["value"] == "mnist-at"
    assert {"`b=mine`", "`s.story=nope`", "`s.eta=...`"} == set(re.findall("`[^`]*`", told["notice"]["value"]))


def test_a_server_at_rest_looks_for_work_a_hundred_times_a_second(places):
    usual = gr.Blocks().queue()._queue
    assert vars(usual)["sleep_when_free"] < 0.01 == vars(build(Studio(choose("cpu")))._queue)["sleep_when_free"]


def test_a_session_and_its_files_go_an_hour_after_its_visitor(places, monkeypatch):
    """By gradio's own bookkeeping, which counts only what was the output of a handler."""
    page = build(Studio(choose("cpu")))
    states = StateHolder()
    states.set_blocks(page)
    (load,) = (event for event in page.fns.values() if event.name == "restore")
    (session,) = (b for b in page.blocks.values() if isinstance(b, gr.State) and isinstance(b.value, Session))
    assert session in load.inputs and session in load.outputs
    here = states["visitor"]
    held = here[session._id]
    here[session._id] = held  # what gradio does with an output
    held.state["files"], stop = "a folder", held.stops["sampling"]
    states.delete_all_expired_state()
    assert session._id in here.state_data and not stop.is_set()  # however long the visit takes
    here.is_closed, here.STATE_TTL_WHEN_CLOSED = True, -1
    states.delete_all_expired_state()
    assert session._id not in here.state_data and stop.is_set() and not held.state


@pytest.fixture(scope="module")
def events():
    page = build(Studio(choose("cpu")))
    return [(fn, [(page.blocks.get(block), event) for block, event in fn.targets]) for fn in page.fns.values()]


def test_what_follows_an_event_is_not_dropped_while_its_last_run_goes_on(events):
    """Gradio drops an event of mode "once" that is told of while it still runs: then the page shows what no menu says."""
    after = [fn for fn, _ in events if fn.trigger_after is not None and fn.queue and fn.fn is not None]
    assert len(after) >= 6 and all(fn.trigger_mode == "multiple" for fn in after)


def test_a_second_press_begins_anew_where_a_newer_run_ends_the_one_before(events):
    runs = {"samp-run", "lab-run", "rob-run", "equations-run", "yours-go"}
    modes = {
        block.elem_id: fn.trigger_mode
        for fn, targets in events
        for block, event in targets
        if fn.fn is not None and event == "click" and block.elem_id in runs
    }
    assert modes == dict.fromkeys(runs, "multiple")


def test_an_event_that_comes_with_data_is_never_put_off(events):
    """Put off, it would come with the data of the one before it."""
    with_data = [fn for fn, _ in events if fn.fn is not None and fn.collects_event_data]
    assert len(with_data) >= 10 and all(fn.trigger_mode == "multiple" for fn in with_data)


def test_no_choice_is_lost_while_the_one_before_is_on_its_way(events):
    """By default gradio drops a `select`, `input` or `submit` told of while its last run goes on, and what follows it."""
    dropped = [
        f"{getattr(block, 'elem_id', None)}.{event}"
        for fn, targets in events
        for block, event in targets
        if fn.fn is not None and fn.trigger_mode == "once" and event not in ("click", "load")
    ]
    assert not dropped


def test_what_follows_a_net_leaves_the_menu_that_it_follows(events):
    """An answer that comes late must not undo a newer choice."""
    follow = {
        block.elem_id: [part.elem_id for part in fn.outputs]
        for fn, targets in events
        for block, event in targets
        if fn.name == "follow"
    }
    assert follow.keys() == {"sel-a", "sel-b"}
    assert all(leader not in parts and "sel-x" in parts for leader, parts in follow.items())


def test_a_menu_is_told_of_once(events):
    """A menu of gradio's tells of its input twice, and again when it is left as it was."""
    told = [
        block.label
        for _, targets in events
        for block, event in targets
        if event == "input" and isinstance(block, gr.Dropdown) and not block.multiselect
    ]
    assert not told
