"""The results tab without a page: both numbers, what they rest on, claims that hold and fail, and what is not made yet."""

import pytest

from cemviz.backend import store
from cemviz.backend.tables import EXPERIMENTS, reproduce
from cemviz.ui.results import words as say


def row(name="AT", column="FID", **other):
    told = {
        "name": name,
        "column": column,
        "paper": 60.9,
        "ours": 22.345,
        "spread": None,
        "seeds": 1,
        "count": 1000,
        "draws": 1,
    }
    return told | {"split": "test", "extractor": None, "scale": "evidence", "note": ""} | other


def table(rows, *orders):
    told = {"table": "t", "title": "T", "source": "S", "date": "2026-01-01", "command": "run t --x", "about": "A"}
    return told | {"rows": rows, "orders": list(orders)}


def order(holds, by, spread=None):
    return {"claim": "a above b", "holds": holds, "by": by, "spread": spread}


def test_what_all_rows_rest_on_is_told_once_and_what_some_do_by_mark():
    rows = [row("AT", note="a long reason; odd"), row("JEM", extractor="judge-x", note="odd", count=200)]
    told = say.table_html(table(rows))
    assert told.count("odd") == 1 and told.count("models of scale evidence") == 1
    assert "AT<sup>1, 2</sup>" in told and "JEM<sup>3, 4</sup>" in told
    assert told.index("<li>1,000 images") < told.index("<li>a long reason") < told.index("<li>200 images")
    assert "<li>extractor judge-x</li>" in told


def test_numbers_are_told_with_their_spread_and_missing_ones_with_a_reason():
    rows = [row(spread=1.234), row("JEM", paper=None, ours=None, seeds=0, count=None, note="wants <images>")]
    told = say.table_html(table(rows))
    assert "<td>60.9</td><td><b>22.34</b> <small>± 1.2</small></td><td>1</td>" in told
    assert "<td>–</td><td>not run</td><td>–</td>" in told and "wants &lt;images&gt;" in told
    assert say.figure(-0.0332, "share x") == "−3.3 %" and say.figure(-0.0332, "mean x") == "−0.0332"


def test_columns_are_cards_and_so_is_a_model_where_each_holds_one_number():
    by_column = say.cards([row(name, column) for name in ("AT", "JEM") for column in ("IS", "FID")])
    assert [(title, names) for title, names, _ in by_column] == [("IS", ["AT", "JEM"]), ("FID", ["AT", "JEM"])]
    by_model = say.cards([row("AT", column) for column in ("low", "high")])
    assert [(title, names) for title, names, _ in by_model] == [("AT", ["low", "high"])]


@pytest.mark.parametrize(
    ("holds", "by", "spread", "words"),
    [
        (True, 0.021, 0.001, "by 2.1 points"),
        (False, -0.178, 0.01, "17.8 points the other way"),
        (None, 0.0, 0.01, "no difference, within twice 1.0"),
        (None, 0.001, 0.02, "by 0.1 points, within twice 2.0"),
        (None, -0.3, None, "30.0 points the other way, and no spread is known"),
        (None, None, None, "not measured"),
    ],
)
def test_a_claim_is_told_in_words_with_its_margin(holds, by, spread, words):
    told = say.table_html(table([row(column="robust", ours=0.5)], order(holds, by, spread)))
    verdict = {True: "holds", False: "does not hold", None: "undecided"}
    assert f"({words})" in told and f"</span> {verdict[holds]}</b>" in told
    assert sum(f"</span> {text}</b>" in told for text in verdict.values()) == 1


@pytest.mark.parametrize(
    ("holds", "by", "second", "words"),
    [
        (True, 4.0, 2.0, "by 4; to the second judge by 2"),
        (None, 4.0, -2.0, "by 4, beyond twice 0.5; to the second judge 2 the other way, beyond twice 0.5"),
        (None, 4.0, 0.5, "by 4, beyond twice 0.5; to the second judge by 0.5, within twice 0.5"),
    ],
)
def test_a_claim_before_two_judges_tells_what_each_says(holds, by, second, words):
    asked = order(holds, by, 0.5) | {"second": {"by": second, "spread": 0.5}}
    assert f"({words})" in say.table_html(table([row(ours=0.5)], asked))


def test_decided_claims_come_first_and_failures_stand_among_them():
    told = say.table_html(table([row()], order(None, 0.5) | {"claim": "open"}, order(False, -1.0) | {"claim": "failed"}))
    assert told.index("failed") < told.index("open")


def test_a_table_without_any_spread_says_that_it_decides_nothing():
    assert "No spread is known" in say.table_html(table([row()]))
    assert "No spread is known" not in say.table_html(table([row(), row("JEM", spread=0.1, seeds=2)]))


def test_a_claim_resting_on_one_training_says_so_where_others_have_more():
    alone, more = order(True, 0.5) | {"seeds": 1}, order(True, 0.25) | {"seeds": 3}
    told = say.table_html(table([row(), row("JEM", spread=0.1, seeds=3)], alone, more))
    assert "(by 0.5, one training)" in told and "(by 0.25)" in told


def test_a_number_says_what_it_rests_on_and_what_its_spread_joins():
    rows = [
        row(spread=0.2, deviation=0.1, error=0.1, resampled="jackknife", draws=3),
        row("JEM", spread=0.2, error=0.2, resampled="binomial", seeds=3),
    ]
    told = say.table_html(table(rows))
    assert "<td>1, drawn 3×</td>" in told and "<td>3</td>" in told
    assert "±: deviation over seeds and standard error jackknife over tenths of the images" in told
    assert "±: standard error binomial for that many images" in told


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ([True, False, None, None], "1 holds, 1 does not, 2 undecided"),
        ([True, True], "2 hold"),
        ([None] * 3, "3 undecided"),
        ([False], "1 does not"),
    ],
)
def test_only_decided_claims_are_counted(verdicts, words):
    assert say.counted(verdicts) == words


def test_what_is_not_made_yet_is_listed_with_its_command(places):
    target = next(iter(EXPERIMENTS))
    assert say.total() == "No table is made yet." and say.overview().count("not made yet") == len(EXPERIMENTS)
    command = f"<span>reproduce</span> <span>{target}</span>"
    assert command in say.overview() and command in say.one_table(target)
    store.write_json(reproduce.results_path(target), table([row()], order(True, 1.0), order(False, -1.0), order(None, 1.0)))
    assert "**1 holds, 1 does not, 1 undecided**" in say.total()
    assert "1 holds, 1 does not, 1 undecided" in say.overview()
    assert say.overview().count("not made yet") == len(EXPERIMENTS) - 1 and "not made" not in say.one_table(target)


def test_the_overview_is_ordered_by_what_holds_or_fails(places):
    first, second, third = list(EXPERIMENTS)[:3]
    for target, verdicts in ((second, [False, False]), (third, [True])):
        made = table([row()], *(order(holds, 1.0 if holds else -1.0) for holds in verdicts))
        store.write_json(reproduce.results_path(target), made)

    def places_of(by):
        told = say.overview(by)
        return [told.index(f'r.table={target}"') for target in (first, second, third)]

    a, b, c = places_of("papers")
    assert a < b < c and places_of("nonsense") == [a, b, c]
    a, b, c = places_of("hold")
    assert c < a < b
    a, b, c = places_of("fail")
    assert b < a < c


def test_a_number_is_drawn_on_the_scale_of_its_card():
    rows = [row("AT", ours=10.0, spread=2.0), row("JEM", ours=28.0), row("none", ours=None)]
    told = say.table_html(table(rows))
    assert told.count("<rect") == 2 and 'aria-hidden="true"' in told
    assert 'x="12.4"' in told and 'x="97.0"' in told  # 8 to 28 over 3 to 97: 10 lies a tenth along
    assert 'x1="3.0" x2="21.8"' in told, "8 to 12"
    assert "<rect" not in say.table_html(table(rows[:1])), "one number has no scale"


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        (
            "mnist-at (shipped) fid count=500 radius=1.0 sampler=rcs start=class-gaussian",
            "mnist-at, rcs, from class-gaussian, β 1.0",
        ),
        (
            "mnist-at-cr objective_args=weight:0.1 robust attack=pgd radius=0.2 steps=20",
            "mnist-at-cr objective_args=weight:0.1",
        ),
        ("mnist-standard accuracy", "mnist-standard"),
    ],
)
def test_a_row_tells_its_net_and_how_it_was_sampled(measure, words):
    told = say.table_html(table([row(measure=measure), row("JEM", measure="other fid")]))
    assert f"<small>{words}</small></td>" in told and "<small>other</small>" in told
    alike = say.table_html(table([row(measure=measure), row("JEM", measure=measure)]))
    assert f"<small>{words}</small>" not in alike and f"<p>{words}; " in alike


def test_a_table_links_the_picture_that_shows_it():
    assert '<a href="?tab=sampling&amp;s.story=rcs-ta">See it' in say.table_html(table([row()]) | {"table": "cem-2"})
    assert "See it" not in say.table_html(table([row()])) and set(say.SEE) <= set(EXPERIMENTS)


def test_statements_that_comparisons_make_up_have_a_verdict_of_their_own():
    def order(claim, holds):
        return {"claim": claim, "holds": holds}

    orders = [
        order("a peak: low", True), order("a peak: high", None), order("a ball: small", True), order("a ball: large", False),
        order("it grows: one", True), order("it grows: two", True),
    ]  # fmt: skip
    assert say.statements(orders) == {"a peak": None, "a ball": False, "it grows": True}
    assert say.statements([*orders, order("no statement", True)]) == say.statements([order("ours: one", True)]) == {}
    told = say.table_html(reproduce.results()["cem-fig-2"])
    assert told.index("an optimal K exists <small>") < told.index("Comparison by comparison") < told.index("draws better than")
