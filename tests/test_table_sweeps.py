"""CEM's figures of sweeps: the three statements of the paper on hand-made numbers, and what a cell of a table takes."""

from dataclasses import replace

import pytest

from cemviz.backend.device import choose
from cemviz.backend.requests import SweepRequest
from cemviz.backend.stored.artefacts import Artefact
from cemviz.backend.tables import EXPERIMENTS, judge, sweeps
from cemviz.backend.tables.sweeps import CEM_5, CEM_FIG_2, CEM_FIG_3, COLUMN, JUDGED, MAXENT, RCS, row

SPREAD = 0.1


def verdicts(experiment, column, quality, second=None):
    """How the claims of a column stand where `quality` says how well each number draws, by axis and value: claim -> verdict.

    Args:
        second: what the usual judge says of it; the same where it is left out.
    """
    sign = 1 if column.startswith("IS") else -1  # a good distance is a low one
    rows = [
        {"name": row(axis, value), "column": column + eye, "ours": sign * seen(axis, value), "spread": SPREAD, "seeds": 1,
         "extractor": judge}
        for (eye, judge), seen in zip(sweeps.JUDGES.items(), (quality, second or quality), strict=True)
        for axis in sweeps.FIGURES
        for value in RCS.axes[axis]
    ]  # fmt: skip
    orders = tuple(order for order in experiment.orders if order.over[1] == column)
    return {
        order["claim"].split(":")[0] + ":" + order["under"][0] + order["over"][0]: order["holds"]
        for order in judge(orders, rows)
    }


def claims(orders, words):
    return [holds for claim, holds in orders.items() if claim.startswith(words)]


def peaked(axis, value):
    """Best at K 30, η .01 and β 6, worse by far on either side."""
    best = {"steps": 30, "noise": 0.01, "radius": 6}[axis]
    return 10 - 5 * abs(value - best) / best


@pytest.mark.parametrize("column", JUDGED)
@pytest.mark.parametrize("words", ["an optimal K exists", "an optimal η exists"])
def test_an_optimum_holds_with_worse_on_both_sides_fails_on_one_and_is_open_where_flat(column, words):
    for experiment in (CEM_FIG_2, CEM_FIG_3):
        assert claims(verdicts(experiment, column, peaked), words) == [True, True]
        more = verdicts(experiment, column, lambda axis, value: 1000 * value)
        less = verdicts(experiment, column, lambda axis, value: -1000 * value)
        assert claims(more, words) == [True, False] and claims(less, words) == [False, True]
        assert claims(verdicts(experiment, column, lambda axis, value: 7 + 0.1 * (value == 30)), words) == [None, None]


@pytest.mark.parametrize("column", JUDGED)
def test_a_growing_ball_refines_and_of_rcs_a_large_one_is_worse(column):
    grown, large = "samples are refined as the ball grows", "a large ball is slightly worse"
    first = verdicts(CEM_FIG_2, column, peaked)
    assert claims(first, grown) == [True] and claims(first, large) == [True]
    more = [verdicts(experiment, column, lambda axis, value: value) for experiment in (CEM_FIG_2, CEM_FIG_3)]
    assert claims(more[0], grown) == [True] and claims(more[0], large) == [False] and claims(more[1], grown) == [True]
    assert claims(more[1], large) == [], "of MaxEnt the paper does not say it"
    less = verdicts(CEM_FIG_3, column, lambda axis, value: -value)
    assert claims(less, grown) == [False]
    assert claims(verdicts(CEM_FIG_3, column, lambda axis, value: 1 + 0.001 * value), grown) == [None]


@pytest.mark.parametrize("column", JUDGED)
def test_what_the_two_judges_do_not_agree_on_is_undecided(column):
    for experiment in (CEM_FIG_2, CEM_FIG_3):
        apart = verdicts(experiment, column, peaked, lambda axis, value: -peaked(axis, value))
        assert set(apart.values()) == {None} and len(apart) >= 5


CELLS = [{"steps": 5.0, "is": 7.0, "fid": 9.0}, {"steps": 20.0, "is": 9.0, "fid": 3.0}, {"steps": 30.0, "is": 8.0, "fid": 2.0}]


@pytest.fixture
def asked(monkeypatch):
    """Sweeps by hand, and the requests that they were asked by."""
    requests = []

    def kept(studio, request):
        requests.append(request)
        names = ("is", "fid")
        cells = [
            {"settings": {"steps": cell["steps"]}, "columns": {k: {"value": cell[k], "error": 0.5} for k in names}}
            for cell in CELLS
        ]
        yield Artefact({"cells": cells})

    monkeypatch.setattr(sweeps, "stored_sweep", kept)
    return requests


def test_a_cell_takes_its_number_from_the_sweep_of_its_axis_and_seed(asked):
    number = RCS.at("steps", 20, "fid", "mnist-judge-clean").run("mnist-at", choose("cpu"), None, 2)
    assert (number["value"], number["error"], number["resampled"]) == (3.0, 0.5, "jackknife")
    assert (number["extractor"], number["split"], number["count"]) == ("judge-mnist-judge-clean", "validation", 200)
    metrics = ("is", "fid", "precision", "recall")
    request = SweepRequest(
        "mnist-at", "rcs", count=200, seed=2, over=("steps",), values=(sweeps.STEPS,), metric=metrics, seeds=1,
        judge="mnist-judge-clean",
    )  # fmt: skip
    assert asked == [request]


def test_the_best_value_is_that_of_the_highest_score_or_the_lowest_distance(asked):
    assert RCS.best("steps", "is").run("mnist-at", choose("cpu"), None, 0)["value"] == 20.0
    assert RCS.best("steps", "fid").run("mnist-at", choose("cpu"), None, 0)["value"] == 30.0


def test_cells_that_share_a_number_share_a_key_and_no_others_do():
    for experiment in (CEM_FIG_2, CEM_FIG_3, CEM_5):
        keys = [cell.key for cell in experiment.cells.values()]
        assert len(set(keys)) == len(keys)
    assert RCS.at("steps", 20, "is", "a").key != replace(RCS, start="uniform").at("steps", 20, "is", "a").key
    assert RCS.at("steps", 20, "is", "a").key != RCS.at("steps", 20, "is", "b").key


def test_every_place_of_a_claim_is_measured_and_the_paper_s_disagreements_are_told():
    for experiment in (CEM_FIG_2, CEM_FIG_3, CEM_5):
        assert "η of about .01 is optimal for both (C.2.2), and Table 5 has 0 for MaxEnt" in experiment.about
        assert "K of 30 to 40 is optimal for both" in experiment.about and "10 and 50 for MaxEnt" in experiment.about
    assert CEM_5.paper["RCS, best by IS", "α"] == 1 and CEM_5.paper["MaxEnt, best by FID", "K"] == 10
    assert CEM_FIG_3.paper["best η", "best by IS"] == 0.01 and EXPERIMENTS["cem-fig-2"] is CEM_FIG_2
    assert {place for place in CEM_FIG_2.cells if place[0] == "no ball"} == {
        ("no ball", column) for column in (*COLUMN, *(f"{column}, usual judge" for column in JUDGED))
    }
    assert MAXENT.axes["radius"][-1] == sweeps.DIAGONAL == 28.0 and row("radius", 6.0) == "β 6"
