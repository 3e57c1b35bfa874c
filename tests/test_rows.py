"""Rows of a table from stored ones: what is judged anew, what is kept, what scatters at least as real images do."""

from dataclasses import replace

import pytest
import tables
from tables import revised

from cemviz.backend.tables import EXPERIMENTS, rows
from cemviz.backend.tables.measures import Measure
from cemviz.backend.tables.table import grid


@pytest.fixture
def toy(places, monkeypatch):
    return tables.toy(monkeypatch)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_none(toy, bad):
    values = [{"value": 0.5, "count": 7}, {"value": bad, "count": 7}]
    row = rows.measured(("A", "natural"), EXPERIMENTS["toy"], values, "evidence")
    assert row["ours"] is None and "no finite number" in row["note"]


def stored(ours, deviation, seeds, **more):
    """A row of a stored table that rests on so many trainings and one seed of draws."""
    row = {"name": "A", "column": "natural", "paper": None, "ours": ours, "deviation": deviation, "seeds": seeds, "draws": 1}
    row |= {"values": None, "error": None, "resampled": None, "count": 100, "split": "test", "extractor": None}
    return row | {"scale": "evidence", "note": "measured by hand; the paper gives no number here"} | more


def again(*rows, **changes):
    """The toy's table with these stored rows, judged anew once its cells are changed."""
    cells = {place: replace(cell, **changes) for place, cell in EXPERIMENTS["toy"].cells.items()}
    EXPERIMENTS["toy"] = replace(EXPERIMENTS["toy"], cells=cells)
    first = revised("toy", {"rows": [row | {"measure": cells[row["name"], row["column"]].key} for row in rows]})
    assert revised("toy", first) == first
    return first


def test_a_stored_table_is_judged_anew_and_keeps_what_was_said_of_it(toy):
    table = again(stored(0.9, None, 1), stored(0.5, 0.01, 3, name="B"))
    a, b = table["rows"]
    assert (a["ours"], a["spread"], b["spread"], a["paper"]) == (0.9, None, 0.01, 0.9) and a["note"] == "measured by hand"
    assert table["orders"][0]["holds"] is None and table["title"] == "A table"


def test_a_stored_share_gets_the_error_of_its_images(toy):
    rate = Measure("share", None, rate=True, seeded=False)
    table = again(stored(0.9, None, 1), stored(0.5, 0.3, 3, name="B"), measure=rate)
    a, b = table["rows"]
    assert a["spread"] == pytest.approx(0.03, rel=0.1) and b["spread"] == pytest.approx(0.3041, rel=1e-2)
    assert table["orders"][0]["holds"] is None


def test_a_place_that_is_measured_otherwise_now_keeps_no_number(toy):
    table = again(stored(0.9, None, 1), stored(0.5, 0.1, 3, name="B"))
    EXPERIMENTS["toy"] = replace(EXPERIMENTS["toy"], cells=grid({"A": "a"}, {"natural": Measure("another", None)}), orders=())
    kept = revised("toy", table)["rows"]
    assert [row["ours"] for row in kept] == [None] and "not measured yet" in kept[0]["note"]


def test_seeds_of_draws_that_have_no_common_number_are_told(toy):
    wild = again(stored(81.0, 134.0, 3, extractor="judge-x"))["rows"][0]
    assert "one seed or more has failed" in wild["note"]
    for calm in (stored(81.0, 13.0, 3, extractor="judge-x"), stored(0.003, 0.005, 3), stored(-40.0, 27.0, 3)):
        assert "failed" not in again(calm)["rows"][0]["note"]
    values = [{"value": value, "count": 9, "extractor": "judge-x"} for value in (3.5, 4.0, 236.0)]
    assert "(3.5, 4, 236)" in rows.measured(("A", "natural"), EXPERIMENTS["toy"], values, "evidence")["note"]


def test_one_seed_of_draws_for_all_scatters_at_least_as_real_images_do():
    real = {"name": "real images", "column": "FID", "error": 0.4, "extractor": "j", "count": 500, "resampled": "jackknife"}
    real |= {"deviation": None}

    def complete(**changes):
        row = {"name": "A", "column": "FID", "deviation": 0.3, "error": None, "resampled": None, "spread": 0.3}
        row |= {"extractor": "j", "count": 500} | changes
        return rows.completed([row, real])[0]

    assert complete()["spread"] == 0.5 and complete()["resampled"] == "real images"
    assert complete(**{k: v for k, v in complete().items() if k != "name"})["spread"] == 0.5
    for other in ({"extractor": "i"}, {"count": 100}, {"column": "IS"}, {"deviation": None}, {"resampled": "jackknife"}):
        assert complete(**other)["spread"] == 0.3


def test_a_table_that_is_read_again_is_the_one_that_was_written(toy):
    """The spread is that of the parts as they are written: of whole ones it is 0.54474 here, of rounded ones 0.54475."""
    values = [{"value": value, "error": 0.388616, "resampled": "images", "count": 7} for value in (1.762, 1.002, 1.445)]
    row = rows.measured(("A", "natural"), EXPERIMENTS["toy"], values, "evidence")
    assert rows.row_of(("A", "natural"), EXPERIMENTS["toy"], row) == row
