"""The results tab without a page: both numbers, what they rest on, claims that hold and fail, and what is not made yet."""

import pytest

from cemviz.backend import reproduce, store
from cemviz.backend.experiments import EXPERIMENTS
from cemviz.ui import words_results as say


def row(name="AT", column="FID", **other):
    told = {"name": name, "column": column, "paper": 60.9, "ours": 22.345, "spread": None, "seeds": 1, "count": 1000}
    return told | {"split": "test", "extractor": None, "scale": "evidence", "note": ""} | other


def table(rows, *orders):
    told = {"table": "t", "title": "T", "source": "S", "date": "2026-01-01", "command": "run t --x", "about": "A"}
    return told | {"rows": rows, "orders": list(orders)}


def order(holds, by):
    return {"claim": "a above b", "holds": holds, "by": by}


def test_what_all_rows_rest_on_is_told_once_and_what_some_do_by_mark():
    rows = [row("AT", note="a long reason; odd"), row("JEM", extractor="judge-x", note="odd", count=200)]
    told = say.table_html(table(rows))
    assert told.count("odd") == 1 and told.count("models of scale evidence") == 1
    assert "AT<sup>1, 2</sup>" in told and "JEM<sup>3, 4</sup>" in told
    assert told.index("<li>1,000 images") < told.index("<li>a long reason") < told.index("<li>200 images")
    assert "<li>extractor judge-x</li>" in told


def test_numbers_are_told_with_their_spread_and_what_is_missing_with_its_reason():
    rows = [row(spread=1.234), row("JEM", paper=None, ours=None, seeds=0, count=None, note="wants <images>")]
    told = say.table_html(table(rows))
    assert "<td>60.9</td><td><b>22.34</b> <small>± 1.2</small></td><td>1</td>" in told
    assert "<td>–</td><td>not run</td><td>–</td>" in told and "wants &lt;images&gt;" in told
    assert say.figure(-0.0332, "share x") == "−3.3 %" and say.figure(-0.0332, "mean x") == "−0.0332"


def test_columns_are_cards_and_a_model_is_one_where_columns_hold_one_number_each():
    by_column = say.cards([row(name, column) for name in ("AT", "JEM") for column in ("IS", "FID")])
    assert [(title, names) for title, names, _ in by_column] == [("IS", ["AT", "JEM"]), ("FID", ["AT", "JEM"])]
    by_model = say.cards([row("AT", column) for column in ("low", "high")])
    assert [(title, names) for title, names, _ in by_model] == [("AT", ["low", "high"])]


def test_a_line_to_compare_with_is_no_result():
    told = say.table_html(table([row(), row("zero", "energy", ours=0.0, count=None)]))
    assert "AT" in told and "zero" not in told


@pytest.mark.parametrize(
    ("holds", "by", "words"),
    [
        (True, 0.021, "by 2.1 points"),
        (True, 0.0, "no difference"),
        (True, -0.001, "0.1 points the other way, which is within the margin"),
        (False, 0.001, "by 0.1 points, which is within the spread"),
        (False, -0.178, "17.8 points the other way"),
    ],
)
def test_a_claim_is_told_in_words_with_its_margin(holds, by, words):
    told = say.table_html(table([row(column="robust", ours=0.5)], order(holds, by)))
    assert f"({words})" in told and ("does not hold" in told) == (not holds)


def test_one_seed_is_said_to_have_no_spread():
    assert "no spread is known" in say.table_html(table([row()]))
    assert "no spread is known" not in say.table_html(table([row(), row("JEM", spread=0.1, seeds=2)]))


def test_a_claim_that_rests_on_one_seed_says_so_where_other_numbers_have_more():
    alone, more = order(True, 0.5) | {"seeds": 1}, order(True, 0.25) | {"seeds": 3}
    told = say.table_html(table([row(), row("JEM", spread=0.1, seeds=3)], alone, more))
    assert "(by 0.5, one seed)" in told and "(by 0.25)" in told
    assert "one seed)" not in say.table_html(table([row()], alone))  # said once, below the claims


def test_what_is_not_made_yet_is_listed_with_its_command(places):
    target = next(iter(EXPERIMENTS))
    assert say.total() == "No table is made yet." and say.overview().count("not made yet") == len(EXPERIMENTS)
    command = f"<span>reproduce</span> <span>{target}</span>"
    assert command in say.overview() and command in say.shown(target)
    store.write_json(reproduce.results_path(target), table([row()], order(True, 1.0), order(False, -1.0)))
    assert "1 of 2 claims hold here, 1 do not" in say.total() and "1 of 2 claims hold" in say.overview()
    assert say.overview().count("not made yet") == len(EXPERIMENTS) - 1 and "not made" not in say.shown(target)
