"""A game that plays by itself: batches of frames, at the pace of the browser, until it is paused."""

import json
import math
from types import SimpleNamespace

import pytest

pytest.importorskip("gradio")
from cemviz.ui.controls import Session
from cemviz.ui.playground import handlers as do
from cemviz.ui.playground import playing


@pytest.fixture
def batch(monkeypatch):
    """Batches of three frames, on a machine that takes no time."""
    monkeypatch.setattr(playing, "BATCH", 3)
    monkeypatch.setattr(playing, "RATE", 1e6)
    monkeypatch.setattr(playing, "time", SimpleNamespace(perf_counter=lambda: 0.0))


def test_play_goes_on_until_paused_and_sets_the_flag(batch):
    held = Session()
    run = playing.play(None, held, speed=2)
    first, second = next(run), next(run)
    plane = json.loads(second["plane"])
    assert [shown["turn"] for shown in plane["frames"]] == [8, 10, 12] and plane["live"]
    assert first.keys() == set(do.FRAME) - {"second"} and second.keys() == {"plane"}
    assert json.loads(first["plane"])["frames"][-1]["turn"] == 6 == json.loads(first["history"])["turns"][-1]
    assert next(run).keys() == first.keys() - {"status"}, "it could follow the answer to Pause"
    assert held.playground.game.turn == 18 and not held.stops["playground"].is_set()
    assert "Paused" in playing.pause(None, held)["status"]
    assert list(run) == [] and held.playground.game.turn == 18 and held.stops["playground"].is_set()


def test_a_batch_has_as_many_frames_as_there_is_time_for_at_least_one(monkeypatch):
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
    playing.acknowledge(None, held)
    polls = []

    def wait(seconds):
        if seconds == 0.01:  # the third look finds the batch taken
            polls.append(seconds)
            if len(polls) % 3 == 0:
                playing.acknowledge(None, held)
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
