"""Boards that ship and sweeps that are kept: made once, and made anew where what they rest on has changed."""

import json
from dataclasses import replace

import pytest
from sweeps import ASK, keep, sweepable, swept

from cemviz.backend import store
from cemviz.backend.assets import make as make_assets
from cemviz.backend.device import choose
from cemviz.backend.sample import boards
from cemviz.backend.sample.sweep import FACTORS, sweep
from cemviz.backend.sample.swept import as_json
from cemviz.backend.studio import Studio
from cemviz.backend.use_case import Step
from cemviz.dynamics import Dynamics
from cemviz.samplers import SAMPLERS


@pytest.fixture
def studio(places):
    return sweepable(places)


@pytest.fixture
def small(monkeypatch):
    """Boards of few short chains."""
    monkeypatch.setattr("cemviz.backend.sample.sweep.FACTORS", {name: (0.5, 1) for name in FACTORS})
    monkeypatch.setattr(boards, "SAMPLERS", {"{gallery}": ("rcs",), "{data}-uat": ("maxent",)})
    row = Dynamics(2, 0.3, 0.02, 2.0)
    for name in ("rcs", "maxent"):
        monkeypatch.setitem(SAMPLERS, name, replace(SAMPLERS[name], defaults=row, small=row))


def test_assets_make_boards_once_and_anew_where_a_model_or_the_request_changed(studio, small, monkeypatch):
    def made():
        return [item for item in make_assets(studio, "stripes", only=("sweeps",)) if isinstance(item, Step)]

    assert made()
    names = list(boards.requests("stripes", studio.cards()))
    assert names == [f"stripes-{m}-{p}" for m in ("at-rcs", "uat-maxent") for p in ("noise-steps", "step-radius")]
    board = boards.board("stripes-at-rcs-noise-steps")
    assert board.head["shown"] == "right" and len(board.head["cells"]) == 4 and board.head["judge"] == "stripes-judge"
    assert not made(), "what is there and rests on what is stored is not made again"
    keep("stripes-judge-clean", 8, role="judge")
    classified = {f"sweeps {name}" for name in names[:2]}
    assert {step.doing.split(":")[0] for step in made()} == classified, "only what is asked for is read as asked"
    board = boards.board("stripes-at-rcs-noise-steps")
    keep("stripes-at", 12)
    assert board.stale(studio.cards()) == ["stripes-at"]
    assert {step.doing.split(":")[0] for step in made()} == classified
    assert boards.board("stripes-at-rcs-noise-steps").stale(studio.cards()) == []


def test_boards_of_a_set_without_models_are_skipped(places):
    (told,) = make_assets(Studio(choose("cpu")), "stripes", only=("sweeps",))
    assert "skipped" in told


def test_a_sweep_is_kept_until_a_model_or_the_request_changes(studio, monkeypatch):
    runs = []
    monkeypatch.setattr(boards, "sweep", lambda *given: runs.append(1) or sweep(*given))
    ask = replace(ASK, metric=("own",))
    *_, first = boards.stored_sweep(studio, ask)
    *_, again = boards.stored_sweep(studio, ask)
    assert len(runs) == 1 and again.head == first.head
    *_, other = boards.stored_sweep(studio, replace(ask, seed=1))
    assert len(runs) == 2 and other.head["cells"] != first.head["cells"]
    keep("stripes-at", 11)
    assert first.stale(studio.cards()) == ["stripes-at"]
    *_, anew = boards.stored_sweep(studio, ask)
    assert len(runs) == 3 and anew.head["cells"] != first.head["cells"]
    path = next((store.folder() / boards.KEPT).glob("*.json"))
    path.write_text("{")
    assert all(list(boards.stored_sweep(studio, each))[-1].head["cells"] for each in (ask, replace(ask, seed=1)))


def test_an_artefact_is_stale_by_its_request(studio):
    held = swept(studio, metric=("own",)).artefact()
    assert held.stale(studio.cards(), as_json(replace(ASK, metric=("own",)))) == []
    assert held.stale(studio.cards(), as_json(replace(ASK, metric=("own",), step=0.4))) == ["request"]
    assert json.loads(json.dumps(held.head["request"])) == as_json(replace(ASK, metric=("own",)))
