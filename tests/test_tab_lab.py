"""The lab's plain functions: controls in, boards and words out."""

import json
import math
from dataclasses import replace

import pytest
from tabs import first_view, page, wired

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.sample import boards
from cemviz.backend.studio import Studio
from cemviz.ui.controls import Session
from cemviz.ui.lab import handlers as do
from cemviz.ui.lab import tab as tab_lab
from cemviz.ui.lab import words

pytestmark = pytest.mark.usefixtures("shipped")

CONTROLS = {
    "a": "mnist-at", "seed": 0, "sampler": "rcs", "over": "noise,steps", "first": "", "second": "", "count": "", "seeds": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def studio():
    return Studio(choose("cpu"))


def test_the_usual_controls_ask_for_the_boards_that_ship(studio):
    for name, asked in boards.requests("mnist", studio.cards()).items():
        values = {"a": asked.model, "sampler": asked.sampler, "over": ",".join(asked.over)}
        live = do.read(studio, **CONTROLS | values)
        assert live == replace(asked, seeds=1), "swept here it is of one seed"
        board = boards.shipped(studio, live)
        assert board is not None, f"{name} does not ship, or is stale"
        assert board.head["seeds"] == boards.SEEDS["mnist"] and boards.shipped(studio, asked).head == board.head
        assert boards.shipped(studio, replace(asked, seeds=2)) is None


def test_a_board_that_ships_is_told_with_its_own_seeds(studio):
    shown = do.show(studio, Session(), by="confidence", **CONTROLS)
    cell = json.loads(shown["board"])["cells"][0]
    assert "seeds 0 to 2" in shown["status"] and "seeds=1" not in shown["script"]  # three is the default
    assert cell["spreads"].keys() == cell["values"].keys() and all(spread >= 0 for spread in cell["spreads"].values())


def test_other_controls_ask_for_a_sweep_of_their_own(studio):
    asked = do.read(studio, **CONTROLS | {"first": "0, .02", "count": "4", "seeds": 2, "seed": 7})
    assert asked.values[0] == (0.0, 0.02) and asked.values[1] == (
        0,
        5,
        10,
        20,
        40,
        80,
        160,
    )
    assert (asked.count, asked.seeds, asked.seed) == (4, 2, 7) and boards.shipped(studio, asked) is None
    assert (
        "Press **Run this sweep**: 14 settings, 4 chains"
        in do.show(studio, Session(), by="confidence", **CONTROLS | {"first": "0, .02", "count": "4"})["status"]
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"first": "a, b"}, "noise has 'a, b'; give numbers"), ({"first": "-1"}, "η"), ({"seed": None}, "seed is empty"),
        ({"a": "nope"}, "net A is 'nope'"), ({"count": "a few"}, "chains is 'a few'; give a whole number"),
        ({"count": "0"}, "count is 0; give a whole number from 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_swept_is_named(studio, change, said):
    with pytest.raises(BadInput, match=said):
        do.read(studio, **CONTROLS | change)


def test_a_board_says_what_each_cell_is_worth_and_where_it_can_be_run(studio):
    shown = do.show(studio, Session(), by="nope", **CONTROLS)
    board = json.loads(shown["board"])
    assert [axis["symbol"] for axis in board["axes"]] == ["η", "K"] and len(board["cells"]) == 49
    assert board["noise"] == pytest.approx(28.0) and board["paper"] == {"noise": 0.01, "steps": 20}
    cell = board["cells"][24]  # the middle one
    assert cell["settings"] == {"step": 0.5, "radius": 6.0, "noise": 0.01, "steps": 20} and "s.eta=0.01" in cell["links"]
    assert shown["by"]["value"] == "confidence" and {name for _, name in shown["by"]["choices"]} <= set(board["columns"])
    assert len(shown["board"]) < 300_000 and shown["script"].startswith("from cemviz.backend.sample.sweep import sweep")


def test_a_sweep_here_is_drawn_kept_and_can_be_taken_away(studio):
    held = Session()
    asked = CONTROLS | {"first": "0, .05", "second": "0, 3", "count": "2"}
    *_, last = do.measure(studio, held, by="own", **asked)
    board = json.loads(last["board"])
    assert board["origin"] == words.LIVE and len(board["cells"]) == 4
    with open(do.as_file(studio, held, suffix="csv")["file"], encoding="utf-8") as sheet:
        lines = sheet.read().splitlines()
    assert lines[0].startswith("model,sampler,step,radius,noise,steps,confidence") and len(lines) == 5
    with open(do.as_file(studio, held, suffix="json")["file"], encoding="utf-8") as whole:
        assert json.load(whole)["axes"] == {"noise": [0.0, 0.05], "steps": [0, 3]}
    guest = held.state["board"] | {"model": "own~0123456789ab"}
    shown = (
        words.table(guest),
        words.file(guest),
        json.loads(words.payload(guest, studio.cards()["mnist-at"], "", "own"))["title"],
    )
    assert all("own" in text and "~" not in text for text in shown), "no file and no picture has a visitor's key"
    assert "mnist-at" in last["tried"] and "s.K=" in last["tried"] and last["tried"].count("<tr>") == 2
    *_, again = do.measure(studio, held, by="own", **asked)
    assert again["tried"].count("<tr>") == 3


def test_the_best_setting_is_the_best_by_the_column_that_is_shown(studio):
    head = boards.shipped(studio, do.read(studio, **CONTROLS)).head
    for column, pick in (("confidence", max), ("nearest", min)):
        value = pick(cell["columns"][column]["value"] for cell in head["cells"])
        assert f"<td>{value:.3g}</td>" in words.tried([head], column)


@pytest.mark.parametrize(("seeds", "said"), [(1, "seed 4"), (3, "seeds 4 to 6")])
def test_chains_and_seeds_are_said(seeds, said):
    assert words.seeds({"seed": 4, "seeds": seeds, "count": "2", "judge": None}) == f"2 chains a setting, {said}, judge none"


def test_laws_are_of_steps_that_have_a_length(studio):
    for sampler, model, unit in (("rcs", "mnist-at", True), ("jeat17", "mnist-jeat", False), ("maxent", "mnist-uat", True)):
        asked = do.read(studio, **CONTROLS | {"a": model, "sampler": sampler})
        board = json.loads(words.payload(boards.shipped(studio, asked).head, studio.cards()[model], words.SHIPPED, "own"))
        assert board["by"] == "own" and board["lengths"] is unit
        assert board["seeds"].startswith("64 chains" if sampler == "maxent" else "16 chains")


def test_the_first_view_follows_the_net(studio):
    _, tab = page(tab_lab, studio)
    steps = first_view(tab, Session(), a="mnist-uat")
    assert steps[0]["lab-sampler"]["value"] == "maxent" and json.loads(steps[1]["lab-board"])["axes"][0]["name"] == "noise"
    steps = first_view(tab, Session(), a="mnist-trades")
    assert "No board of mnist-trades" in steps[1]["lab-status"] and "Its boards" not in steps[1]["lab-status"]


def test_every_event_calls_its_handler(studio):
    assert wired(tab_lab, studio) == {
        "lab-run.click": "measure", "lab-stop.click": "halt", "lab-sampler.select": "show", "lab-over.select": "show",
        "lab-csv.click": "as_file", "lab-json.click": "as_file",
    }  # fmt: skip


def test_every_pair_of_numbers_is_offered_once():
    pairs = [frozenset(key.split(",")) for key in do.OVER]
    assert len(set(pairs)) == len(pairs) == math.comb(4, 2) + 4


def test_a_sampler_without_a_ball_has_its_own_setting_on_the_board_too():
    board = boards.board("mnist-uat-maxent-step-radius")
    assert words.paper(board.head, store.read_card("mnist-uat")) == {"step": 0.7, "radius": "inf"}


def test_another_net_opens_on_a_sampler_that_has_a_board_of_it_and_an_own_sweep_keeps_its_own(studio):
    first = next(do.opened(studio, Session(), by="own", **CONTROLS | {"sampler": "jeat17"}))
    assert first["sampler"]["value"] == "rcs", "JEAT's chains fit a classifier, but no board of them ships"
    kept = next(do.opened(studio, Session(), by="own", **CONTROLS | {"sampler": "jeat17", "count": "2"}))
    assert kept["sampler"]["value"] == "jeat17"


def test_where_no_board_ships_those_that_do_are_named(studio):
    assert (
        "There is one for RCS, CS, TA, LANGEVIN."
        in do.show(studio, Session(), by="own", **CONTROLS | {"sampler": "jeat17"})["status"]
    )
    other = do.show(studio, Session(), by="own", **CONTROLS | {"over": "noise,radius"})["status"]
    assert "No board" in other and "There is one" not in other


def test_a_board_can_be_taken_away_where_there_is_one(studio):
    there, none = (
        do.show(studio, Session(), by="own", **CONTROLS | {"over": over}) for over in ("noise,steps", "noise,radius")
    )
    assert all(there[name]["interactive"] for name in do.FILES) and "board" in there
    assert not any(none[name]["interactive"] for name in do.FILES) and "board" not in none
