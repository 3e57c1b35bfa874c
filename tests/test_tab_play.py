"""The playground's handlers: what a story, a rule, a move and a link change, and what is said of it."""

import copy
import json
from dataclasses import replace

import pytest

from cemviz.backend import script
from cemviz.backend.checks import BadInput
from cemviz.backend.fields import fields_of
from cemviz.backend.frame import frame
from cemviz.backend.play import changed_rules
from cemviz.backend.presets import PLAY
from cemviz.backend.requests import PlayRequest, RulesRequest
from cemviz.metrics.game import LOG4
from cemviz.training.game import Game, Rules

gr = pytest.importorskip("gradio")
from cemviz.ui.controls import Session  # noqa: E402
from cemviz.ui.playground import handlers as do  # noqa: E402
from cemviz.ui.playground import tab  # noqa: E402

NUMBERS = {"steps": 20, "step": 0.2, "inner": 1, "lr": 2e-3}
MAXIMIN = {"preset": "maximin", "data": "gaussian", "p0": "uniform", "rule": "maximin", **NUMBERS, "seed": 0}


def test_no_net_is_built_before_the_game_is_asked_for(monkeypatch):
    built = []
    monkeypatch.setattr("cemviz.backend.play.Game", lambda *args: built.append(args) or Game(*args))
    held = Session()
    copy.deepcopy(held).playground.reset(PLAY["rings"].rules, 3)
    with gr.Blocks():
        tab.build(gr.State(held), None, None)
    assert not built
    held.playground.reset(PLAY["rings"].rules, 3)
    held.playground.attack()
    assert held.playground.game.turn == 1 and built == [(PLAY["rings"].rules, 3)]


@pytest.mark.parametrize("preset", PLAY)
def test_the_numbers_of_every_preset_fit_the_controls(preset):
    rules = PLAY[preset].rules
    assert changed_rules(rules) == rules and isinstance(changed_rules(rules), Rules)
    with gr.Blocks():
        built = tab.build(gr.State(Session()), None, None)
    assert built.params.keys() == tab.NAMES.keys()
    told = {component.elem_id: value for component, value in built.stories.controls_of(preset).items()}
    assert (told["play-K"], told["play-p0"], told["play-seed"]) == (rules.steps, rules.p0, PLAY[preset].seed)
    for name in do.NUMBERS:
        control, about = (
            built.params[next(key for key, part in tab.NAMES.items() if part == name)],
            fields_of(RulesRequest)[name],
        )
        assert (control.minimum, control.maximum, control.info) == (about.low, about.high, about.help)
        assert about.low <= told[control.elem_id] <= about.high


@pytest.mark.parametrize("preset", PLAY)
def test_a_move_changes_plane_numbers_history_and_status_together(preset):
    held = Session()
    do.restart(None, held, preset=preset, **do.controls_of(None, None, preset=preset))
    held.playground.change(steps=60, inner=1)
    told = do.move(None, held, which="turn")
    assert told.keys() == set(do.FRAME) - {"second"} and sum(len(part.encode()) for part in told.values()) <= 45_000
    plane, history, view = json.loads(told["plane"]), json.loads(told["history"]), held.playground.view()
    assert not plane["live"] and plane["frames"][-1] == frame(view) | {"move": "learn"}
    assert history["turns"] == [0, 1] or history["turns"] == [1]
    goals = {"U": -LOG4, "D_support": 0.5, "spurious": 0, "gap": 0, "variation": 0}
    names = ("gap", "variation", "U") if PLAY[preset].rules.objective == "likelihood" else ("U", "D_support", "spurious")
    ends = [getattr(view.stands, name) for name in names]
    assert [row["values"][-1] for row in history["rows"]] == pytest.approx(ends, rel=1e-3)
    assert [row["goal"] for row in history["rows"]] == [goals[name] for name in names]
    assert ("Jensen-Shannon" in told["numbers"]) == (PLAY[preset].rules.rule == "minimax")


@pytest.mark.slow
def test_the_first_view_is_a_begun_game_and_the_same_for_the_same_link():
    a, b = Session(), Session()
    one, two = (do.first(None, held, layers=["data"], field="E", **MAXIMIN | {"data": "moons"}) for held in (a, b))
    assert a.playground.game.turn == do.OPENING and str(do.OPENING) in one["status"]
    one_plane, two_plane = (json.loads(told["plane"]) for told in (one, two))
    assert one_plane.pop("made") < two_plane.pop("made") and one_plane == two_plane
    assert one_plane["shown"] == {"layers": ["data"], "field": "E"}
    assert [row[0] for row in a.playground.view().history][:3] == [0, 4, 8]
    assert "Changed since" in one["story"] and "Two moons" in one["story"]
    assert do.opening(PLAY["minimax"].rules) < do.OPENING  # about as long, with more updates a turn


def test_a_preset_sets_its_numbers_and_starts_anew(monkeypatch):
    monkeypatch.setitem(PLAY, "rings", replace(PLAY["rings"], seed=5))  # which was not played beforehand
    held = Session()
    held.playground.both(2)
    told, rules = do.choose(None, held, preset="rings"), PLAY["rings"].rules
    assert {name: told[name] for name in ("data", "p0", "rule", "step", "inner", "lr")} == {
        "data": "rings", "p0": rules.p0, "rule": "maximin", "step": rules.step, "inner": rules.inner, "lr": rules.lr,
    }  # fmt: skip
    assert (told["steps"]["value"], told["steps"]["interactive"], told["seed"]) == (rules.steps, True, PLAY["rings"].seed)
    assert told["story"] == PLAY["rings"].story and "fresh net" in told["status"]
    assert held.playground.game.turn == 0 and held.playground.game.rules == rules and held.playground.seed == 5


def test_the_other_rule_brings_numbers_that_suit_it():
    held, suited = Session(), PLAY["minimax"].rules
    asked = {"preset": "maximin", "data": "gaussian", "p0": "uniform", "seed": 0}
    told = do.change_rule(None, held, rule="minimax", **asked)
    assert held.playground.game.rules == suited
    assert (told["steps"]["value"], told["steps"]["interactive"]) == (suited.steps, False)
    assert (told["step"], told["inner"], told["lr"]) == (suited.step, suited.inner, suited.lr)
    assert do.change_rule(None, held, rule="maximin", **asked)["steps"]["interactive"] is True


def test_a_number_changes_without_a_reset_and_a_bad_control_keeps_the_game():
    held = Session()
    held.playground.both(2)
    told = do.change(None, held, preset="maximin", **NUMBERS | {"steps": 5})
    assert held.playground.game.turn == 2 and "K 5" in told["story"] and "K = 5" in told["status"]
    with pytest.raises(BadInput):
        do.restart(None, held, **MAXIMIN | {"seed": 1.5})
    with pytest.raises(BadInput):
        do.change(None, held, preset="maximin", **NUMBERS | {"steps": 10**6})
    assert held.playground.game.turn == 2
    assert do.reseed(None, held, **MAXIMIN | {"seed": None}) == {"status": gr.skip()} and held.playground.game.turn == 2
    assert "fresh net" in do.reseed(None, held, **MAXIMIN | {"seed": 4})["status"] and held.playground.seed == 4


def test_the_python_of_a_game_plays_its_preset_and_names_what_was_changed():
    held = Session()
    told = do.restart(None, held, **MAXIMIN | {"seed": 7})["script"]
    assert script.listing(PlayRequest("maximin", seed=7)) == told and "#   python -m cemviz play maximin --seed 7" in told
    changed = do.change(None, held, preset="maximin", **NUMBERS | {"step": 0.1})["script"]
    assert changed.startswith(told) and changed.splitlines()[-1] == "# not in it, changed on the page: λ 0.1"


def test_each_move_says_who_moved():
    held = Session()
    said = {which: do.move(None, held, which=which)["status"] for which in ("attack", "learn", "turn")}
    assert "p_T attacked" in said["attack"] and "D answered" not in said["attack"]
    assert "D answered" in said["learn"] and "p_T attacked" not in said["learn"]
    assert said["turn"].index("p_T attacked") < said["turn"].index("D answered")
    assert (held.playground.game.turn, held.playground.game.updates) == (2, 2)


def test_a_turn_shows_its_two_moves_and_who_lowers_u_and_who_raises_it():
    held = Session()
    held.playground.both(30)
    told = do.move(None, held, which="turn")
    attack, learn = json.loads(told["plane"])["frames"]
    assert (attack["move"], learn["move"], attack["turn"], learn["turn"]) == ("attack", "learn", 31, 31)
    assert attack["moved"] == learn["moved"] and attack["f"] != learn["f"]
    pushes = json.loads(told["history"])["rows"][0]["pushes"]
    assert pushes["attack"] < 0 < pushes["learn"]
    assert set(json.loads(do.move(None, held, which="learn")["history"])["rows"][0]["pushes"]) == {"learn"}


def test_visitors_do_not_share_a_game():
    one, other = Session(), Session()
    one.playground.both(2)
    assert other.playground.game.turn == 0
    fresh = copy.deepcopy(one)
    assert fresh.playground is not one.playground and fresh.playground.game.turn == 0 and fresh.stops is not one.stops
