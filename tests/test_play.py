"""The playground: the games reach what the thesis says, moves come in any order, a frame is small and true to the net."""

import base64
import copy
import json
import math
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cemviz.backend import script
from cemviz.backend.checks import BadInput
from cemviz.backend.fields import fields_of
from cemviz.backend.frame import DOTS, LINEAR, frame
from cemviz.backend.play import HISTORY, RECORD, TRAIL, Playground, changed_rules, play, rules
from cemviz.backend.presets import PLAY
from cemviz.backend.requests import PlayRequest, RulesRequest
from cemviz.data.toys import BOX
from cemviz.metrics.game import LOG4
from cemviz.training.game import Game, Rules

gr = pytest.importorskip("gradio")
from cemviz.ui.controls import Session  # noqa: E402
from cemviz.ui.playground import handlers as do  # noqa: E402
from cemviz.ui.playground import playing, tab  # noqa: E402

NUMBERS = {"steps": 20, "step": 0.2, "inner": 1, "lr": 2e-3}
MAXIMIN = {"preset": "maximin", "data": "gaussian", "p0": "uniform", "rule": "maximin", **NUMBERS, "seed": 0}


@cache
def settled(preset, turns):
    ground = Playground(PLAY[preset].rules, PLAY[preset].seed)
    ground.both(turns)
    return ground


def weights(ground):
    return torch.cat([p.detach().flatten() for p in ground.game.net.parameters()])


# ------------------------------------------------------------------------------------------------- what the thesis says


@pytest.mark.slow
def test_maximin_from_everywhere_has_no_spurious_maximum_at_minus_log_4():
    fresh = Playground(PLAY["maximin"].rules).view()
    assert fresh.stands.spurious > 0.2  # there was something to find
    view = settled("maximin", 250).view()
    assert view.stands.spurious == 0
    assert abs(view.stands.U + LOG4) <= 0.02
    assert abs(view.stands.D_support - 0.5) <= 0.02


@pytest.mark.slow
def test_maximin_from_a_corner_keeps_spurious_maxima_its_payoff_hides():
    view = settled("maximin-corner", 250).view()
    assert view.stands.spurious > 0.05
    assert abs(view.stands.U + LOG4) <= 0.05


def test_a_weak_attack_leaves_the_payoff_above_its_solution():
    assert settled("too-weak", 100).view().stands.U > -LOG4 + 0.3


def test_minimax_moves_kept_points_towards_p_data():
    small = replace(PLAY["minimax-corner"].rules, count=128, inner=30, shrink=1.0)
    ground = Playground(small)
    before = ground.view()
    for _ in range(8):
        ground.learn()
        ground.attack()
    after = ground.view()
    assert after.stands.distance < 0.7 * before.stands.distance
    np.testing.assert_array_equal(after.start, before.moved)  # p0 was drawn once
    assert np.linalg.norm(after.moved - after.start, axis=1).max() <= 8 * small.step + 1e-5


# --------------------------------------------------------------------------------------------------- rules and changes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"step": -0.1}, "λ (step) is -0.1"),
        ({"steps": 10**6}, "K (steps) is 1000000"),
        ({"steps": math.nan}, "K (steps) is nan"),
        ({"steps": 2.5}, "whole"),
        ({"inner": 0}, "inner is 0"),
        ({"lr": math.inf}, "lr is inf"),
        ({"data": "moon"}, "choose one of"),
        ({"p0": "everywhere"}, "choose one of"),
        ({"rule": "minmax"}, "choose one of"),
    ],
)
def test_bad_numbers_name_the_value_and_the_range(changes, said):
    with pytest.raises(BadInput) as error:
        rules("maximin", **changes)
    assert said in str(error.value)


def test_rules_change_what_is_asked_and_nothing_else():
    assert rules("maximin", steps=5, lr=None) == replace(PLAY["maximin"].rules, steps=5)
    with pytest.raises(BadInput):
        rules("nonsense")


def test_a_change_keeps_net_points_and_turn_and_counts_from_the_next_move():
    ground = Playground()
    ground.both(2)
    net, kept = ground.game.net, weights(ground)
    ground.change(steps=3, step=0.1, inner=2, lr=1e-2)
    assert ground.game.net is net and torch.equal(weights(ground), kept) and ground.game.turn == 2
    ground.attack()
    assert ground.game.path.shape[0] == 4
    assert (ground.game.path[1:] - ground.game.path[:-1]).norm(dim=2).max() <= 0.1 + 1e-6
    updates = ground.game.updates
    ground.learn()
    assert ground.game.updates == updates + 2
    assert [group["lr"] for group in ground.game.optimizer.param_groups] == [1e-2]


def test_a_refused_change_changes_nothing():
    ground = Playground()
    before = ground.game.rules
    with pytest.raises(BadInput):
        ground.change(steps=5, step=-1)
    with pytest.raises(ValueError, match="p0 cannot change"):
        ground.change(p0="corner")
    assert ground.game.rules == before


def test_a_refused_seed_keeps_the_game():
    ground = Playground()
    ground.both(2)
    with pytest.raises(BadInput, match="seed"):
        ground.reset(PLAY["rings"].rules, -1)
    assert ground.game.turn == 2 and ground.game.rules == PLAY["maximin"].rules


# ---------------------------------------------------------------------------------------------------------------- views


def test_either_player_may_begin():
    ground = Playground()
    ground.learn()
    assert (ground.game.turn, ground.game.updates) == (0, 1)
    ground.attack()
    ground.attack()
    assert (ground.game.turn, ground.game.updates) == (2, 1)


@pytest.mark.parametrize("preset", ["maximin", "minimax"])
def test_paths_lead_from_the_start_to_the_perturbed_points(preset):
    ground = Playground(changed_rules(PLAY[preset].rules, inner=1, steps=40))
    assert ground.view().path.shape[0] == 1
    for _ in range(3):
        ground.both()
    view = ground.view()
    shown = view.path.shape[1]
    np.testing.assert_array_equal(view.path[0], view.start[:shown])
    np.testing.assert_array_equal(view.path[-1], view.moved[:shown])
    assert len(view.path) == (TRAIL if preset == "maximin" else 4)  # one attack of 40 steps; three of one step


def test_heads_are_the_normalised_gradient_of_the_logit():
    ground = Playground()
    ground.both(3)
    view = ground.view(arrows=7)
    net, h = copy.deepcopy(ground.game.net).double(), 1e-5
    x = torch.from_numpy(view.arrows).double()
    with torch.no_grad():
        moved = [(net(x + h * e) - net(x - h * e)).squeeze(1) for e in torch.eye(2, dtype=torch.float64)]
    g = torch.stack(moved, 1)
    np.testing.assert_allclose(np.linalg.norm(view.heads, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(view.heads, (g / g.norm(dim=1, keepdim=True)).numpy(), atol=2e-3)


def test_the_contour_is_D_with_rows_along_y():
    ground = Playground()
    ground.learn()
    view = ground.view(side=9)
    with torch.no_grad():
        at = ground.game.net(torch.tensor([[view.axis[7], view.axis[2]]])).sigmoid().item()
    assert view.D[2, 7] == pytest.approx(at, rel=1e-5)


def test_history_has_one_entry_a_turn_and_stays_short():
    ground = Playground(replace(PLAY["maximin"].rules, steps=1, count=8, width=4))
    ground.view()
    ground.attack()
    ground.view()
    ground.learn()
    view = ground.view()
    np.testing.assert_allclose(view.history[:, 0], [0, 1])
    kept = [getattr(view.stands, name) for name in RECORD]
    np.testing.assert_allclose(view.history[-1, 1:], kept, rtol=1e-6)
    ground._history = [(float(k), *[0.0] * len(RECORD)) for k in range(-HISTORY, 1)]
    ground.attack()
    last = ground.view().history[:, 0]
    assert len(last) <= HISTORY and last[0] == -HISTORY and last[-1] == ground.game.turn and (np.diff(last) > 0).all()


def numbers_of(text, dtype, low=0.0, scale=1.0):
    return (np.frombuffer(base64.b64decode(text), dtype).astype(float) - low) / scale


@pytest.mark.parametrize("preset", PLAY)
def test_a_frame_is_small_and_holds_the_picture(preset):
    ground = Playground(changed_rules(PLAY[preset].rules, steps=60, inner=1))
    ground.both(TRAIL + 5)
    picture = ground.picture()
    packed = frame(picture)
    assert len(json.dumps(packed)) <= 20_000
    byte = numbers_of(packed["f"], np.uint8, 127, 127)
    f = LINEAR * np.sinh(byte * math.asinh(packed["peak"] / LINEAR)).reshape(picture.f.shape)
    np.testing.assert_allclose(1 / (1 + np.exp(-f)), picture.D, atol=0.006)
    near = np.abs(picture.f) < 0.1
    np.testing.assert_allclose(f[near], picture.f[near], atol=0.012)  # a line D = 1/2 is not shifted
    np.testing.assert_allclose(f, picture.f, rtol=0.04, atol=0.02)
    np.testing.assert_allclose(numbers_of(packed["heads"], np.uint8, 127, 127), picture.heads.ravel(), atol=0.004)
    for name in ("data", "start", "moved"):
        held = getattr(picture, name)[:DOTS].clip(-BOX, BOX)
        np.testing.assert_allclose(numbers_of(packed[name], "<i2", 0, 32767 / BOX), held.ravel(), atol=1e-4)
    ways = numbers_of(packed["path"], "<i2", 0, 32767 / BOX).reshape(-1, packed["ways"], 2)
    np.testing.assert_allclose(ways, picture.path, atol=1e-4)


def test_a_frame_of_a_flat_net_is_flat():
    flat = replace_f(Playground().picture(), 0.0)
    assert set(numbers_of(frame(flat)["f"], np.uint8)) == {127}


def replace_f(picture, value):
    return replace(picture, f=np.full_like(picture.f, value))


# ------------------------------------------------------------------------------------------------------------- handlers


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
    told = {component.elem_id: value for component, value in built.stories.tell(preset).items()}
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
    do.restart(None, held, preset=preset, **do.tell(None, None, preset=preset))
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
    assert one["plane"] == two["plane"]
    assert json.loads(one["plane"])["shown"] == {"layers": ["data"], "field": "E"}
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
    assert script.shown(PlayRequest("maximin", seed=7)) == told and "#   python -m cemviz play maximin --seed 7" in told
    changed = do.change(None, held, preset="maximin", **NUMBERS | {"step": 0.1})["script"]
    assert changed.startswith(told) and changed.splitlines()[-1] == "# not in it, changed on the page: λ 0.1"


def test_each_move_says_who_moved():
    held = Session()
    said = {which: do.move(None, held, which=which)["status"] for which in ("attack", "learn", "turn")}
    assert "p_T attacked" in said["attack"] and "D answered" not in said["attack"]
    assert "D answered" in said["learn"] and "p_T attacked" not in said["learn"]
    assert said["turn"].index("p_T attacked") < said["turn"].index("D answered")
    assert (held.playground.game.turn, held.playground.game.updates) == (2, 2)


@pytest.fixture
def batch(monkeypatch):
    """Batches of three frames, on a machine that takes no time."""
    monkeypatch.setattr(playing, "BATCH", 3)
    monkeypatch.setattr(playing, "RATE", 1e6)
    monkeypatch.setattr(playing, "time", SimpleNamespace(perf_counter=lambda: 0.0))


def test_a_turn_is_shown_as_its_two_moves_and_tells_who_lowers_u_and_who_raises_it():
    held = Session()
    held.playground.both(30)
    told = do.move(None, held, which="turn")
    attack, learn = json.loads(told["plane"])["frames"]
    assert (attack["move"], learn["move"], attack["turn"], learn["turn"]) == ("attack", "learn", 31, 31)
    assert attack["moved"] == learn["moved"] and attack["f"] != learn["f"]
    pushes = json.loads(told["history"])["rows"][0]["pushes"]
    assert pushes["attack"] < 0 < pushes["learn"]
    assert set(json.loads(do.move(None, held, which="learn")["history"])["rows"][0]["pushes"]) == {"learn"}


def test_play_goes_on_until_paused_and_sets_the_flag(batch):
    held = Session()
    run = playing.play(None, held, speed=2)
    first, second = next(run), next(run)
    plane = json.loads(second["plane"])
    assert [shown["turn"] for shown in plane["frames"]] == [8, 10, 12] and plane["live"]
    assert first.keys() == set(do.FRAME) - {"second"} and second.keys() == {"plane"}
    assert json.loads(first["plane"])["frames"][-1]["turn"] == 6 == json.loads(first["history"])["turns"][-1]
    assert held.playground.game.turn == 12 and not held.stops["playground"].is_set()
    assert "Paused" in playing.pause(None, held)["status"]
    assert list(run) == [] and held.playground.game.turn == 12 and held.stops["playground"].is_set()


def test_the_frames_of_a_batch_are_as_many_as_there_is_time_for_and_at_least_one(monkeypatch):
    monkeypatch.setattr(playing, "RATE", math.inf)
    told = next(playing.play(None, Session(), speed=2))
    assert [shown["turn"] for shown in json.loads(told["plane"])["frames"]] == [2]


def test_the_speed_changes_from_the_next_frame_on(batch):
    held = Session()
    run = playing.play(None, held, speed=1)
    next(run)
    playing.set_speed(None, held, speed=5)
    next(run)
    assert held.playground.game.turn == 3 + 15


def test_a_forgotten_game_stops_by_itself(monkeypatch, batch):
    monkeypatch.setattr(playing, "LIMIT", 4)
    *_, last = playing.play(None, held := Session(), speed=2)
    assert "Stopped after 4 turns" in last["status"] and held.playground.game.turn == 4 and held.stops["playground"].is_set()


def test_a_newer_run_ends_the_older_and_keeps_its_own_flag():
    held = Session()
    older = playing.play(None, held, speed=1)
    next(older)
    newer = playing.play(None, held, speed=1)
    next(newer)
    assert list(older) == [] and not held.stops["playground"].is_set()
    newer.close()
    assert held.stops["playground"].is_set()


def test_play_waits_for_a_browser_that_lags(monkeypatch):
    monkeypatch.setattr(playing, "PATIENCE", 60.0)
    held = Session()
    playing.taken(None, held)
    polls = []

    def wait(seconds):
        if seconds == 0.01:  # the third look finds the batch taken
            polls.append(seconds)
            if len(polls) % 3 == 0:
                playing.taken(None, held)
        return False

    monkeypatch.setattr(held.stops["playground"], "wait", wait)
    run = playing.play(None, held, speed=1)
    for _ in range(4):
        next(run)
    assert len(polls) == 6  # the first batch may lie ahead, the second and third wait


def test_slow_motion_shows_one_move_at_a_time(monkeypatch):
    monkeypatch.setattr(playing, "SLOW", {"attack": 0.0, "learn": 0.0})
    held = Session()
    run = playing.play(None, held, speed=0)
    assert ["p_T" in next(run)["status"], "D answered" in next(run)["status"]] == [True, True]
    assert (held.playground.game.turn, held.playground.game.updates) == (1, 1)


def test_visitors_do_not_share_a_game():
    one, other = Session(), Session()
    one.playground.both(2)
    assert other.playground.game.turn == 0
    fresh = copy.deepcopy(one)
    assert fresh.playground is not one.playground and fresh.playground.game.turn == 0 and fresh.stops is not one.stops


# --------------------------------------------------------------------------------------------------------- command line


def test_the_command_line_gets_the_contract_s_fields():
    step, result = play(None, PlayRequest("maximin", steps=21))
    assert (step.done, step.of, result["steps"]) == (20, 21, 21)
    assert {"U", "D_support", "spurious", "distance", "steps", "seconds"} <= set(result)
    json.dumps(result, allow_nan=False)
    assert list(play(None, PlayRequest("maximin", seconds=0)))[-1]["steps"] == 1
    with pytest.raises(BadInput):
        next(play(None, PlayRequest("maximin", steps=0)))
