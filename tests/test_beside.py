"""Two games side by side: one difference, the same seed, and every move made in both."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from cemviz.backend.beside import DIFFERENCES, NONE, beside, field_of
from cemviz.backend.checks import BadInput
from cemviz.backend.play import Playground
from cemviz.backend.presets import PLAY
from cemviz.training.game import Rules

gr = pytest.importorskip("gradio")
from cemviz.ui.controls import Session  # noqa: E402
from cemviz.ui.playground import handlers as do  # noqa: E402
from cemviz.ui.playground import playing, words  # noqa: E402

MAXIMIN = do.controls_of(None, None, preset="maximin") | {"preset": "maximin", "steps": 3}


@pytest.fixture
def held():
    session = Session()
    do.restart(None, session, beside="p0:corner", **MAXIMIN)
    return session


@pytest.mark.parametrize("key", DIFFERENCES)
def test_a_difference_is_of_one_rule_and_is_one_that_a_game_takes(key):
    apart = {name for name, value in asdict(beside(Rules(), key)).items() if value != asdict(Rules())[name]}
    assert apart <= {field_of(key)}
    assert apart or str(getattr(Rules(), field_of(key))) == key.partition(":")[2]
    assert isinstance(getattr(beside(Rules(), key), field_of(key)), type(getattr(Rules(), field_of(key))))


@pytest.mark.parametrize("key", ["p0:moon", "width:4", "", "none"])
def test_a_difference_that_is_none_is_refused_and_leaves_the_game(held, key):
    with pytest.raises(BadInput, match="beside is"):
        beside(Rules(), key)
    if key != NONE:
        game = held.playground.game
        with pytest.raises(BadInput):
            do.restart(None, held, beside=key, **MAXIMIN)
        assert held.playground.game is game


def test_both_games_make_every_move_from_one_seed(held):
    first, second = do.grounds(held)
    np.testing.assert_array_equal(first.picture().f, second.picture().f)  # one net
    np.testing.assert_array_equal(first.picture().data, second.picture().data)
    told = do.move(None, held, which="turn")
    assert (first.game.turn, second.game.turn) == (1, 1)
    alone = Playground(beside(first.rules, "p0:corner"), first.seed)
    alone.both()
    np.testing.assert_array_equal(second.picture().moved, alone.picture().moved)
    frames = [json.loads(told[name])["frames"] for name in ("plane", "second")]
    assert [frame["move"] for frame in frames[1]] == ["attack", "learn"] and frames[0][-1]["moved"] != frames[1][-1]["moved"]
    rows = json.loads(told["history"])
    assert rows["second_turns"] == [0, 1] and rows["rows"][0]["second"] != rows["rows"][0]["values"]
    assert told["status"].count(" in A") == told["status"].count(" in B") == 1
    assert told["numbers"].count("<i>A</i>") == told["numbers"].count("<i>B</i>") > 4


def test_a_batch_of_play_draws_both_games_at_the_same_turns(held, monkeypatch):
    monkeypatch.setattr(playing, "BATCH", 3)
    run = playing.play(None, held, speed=1)
    told = next(run)
    turns = [[frame["turn"] for frame in json.loads(told[name])["frames"]] for name in ("plane", "second")]
    assert turns[0] == turns[1] != []
    run.close()


def test_numbers_change_in_both_but_for_the_one_that_differs(held):
    do.restart(None, held, beside="steps:1", **MAXIMIN)
    do.change(None, held, preset="maximin", steps=7, step=0.1, inner=2, lr=1e-3)
    first, second = (ground.game.rules for ground in do.grounds(held))
    assert (first.steps, second.steps) == (7, 1) and first.step == second.step == 0.1 and second.inner == 2


def test_a_story_with_a_game_beside_it_is_played_and_not_shown_from_its_snapshots(shipped):
    values = do.controls_of(None, None, preset="maximin") | {"preset": "maximin", "beside": "p0:corner"}
    told = do.first(None, held := Session(), layers=["data"], field="D", **values)
    assert held.state["play.story"] is None and json.loads(told["plane"])["story"] is None
    assert told["second"]["visible"] and json.loads(told["second"]["value"])["frames"] and "Lower left corner" in told["story"]
    assert len({ground.game.turn for ground in do.grounds(held)}) == 1 and held.playground.game.turn > 1
    back = do.restart(None, held, **values | {"beside": NONE})
    assert not back["second"]["visible"] and do.grounds(held) == [held.playground] and "<i>" not in back["numbers"]
    assert held.state["play.story"] == "maximin"


def test_words_say_where_the_two_are_the_same_game():
    rules = PLAY["maximin"].rules
    assert words.second(rules, NONE) == "" and "two are the same" in words.second(rules, "p0:uniform")
    assert "two are the same" not in words.second(rules, "p0:corner")


def test_numbers_that_only_one_game_has_are_a_dash_in_the_other(held):
    do.restart(None, held, beside="objective:likelihood", **MAXIMIN)
    numbers = do.draw(held)["numbers"]
    assert "<i>A</i> –" in numbers and "<i>B</i> –" in numbers and "gap, E f" in numbers
