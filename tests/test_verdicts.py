"""Verdicts on constructed numbers: what decides a claim, how a spread is made, and what is never compared."""

from math import hypot, inf, nan, sqrt

import pytest

from cemviz.backend.tables import Order
from cemviz.backend.tables.verdicts import DEVIATIONS, binomial, decided, joined, judge, verdict

A, B = ("A", "c"), ("B", "c")


def row(ours, spread, extractor=None, **more):
    return {"ours": ours, "spread": spread, "extractor": extractor, "seeds": 3, "draws": 1} | more


def decision(over, under, margin=None):
    return verdict(Order("claim", A, B, margin), {A: over, B: under})


@pytest.mark.parametrize("deviation", [1e-6, 0.02, 1.0, 300.0])
def test_a_gap_decides_beyond_two_deviations_and_in_both_directions(deviation):
    edge = DEVIATIONS * deviation
    assert decided(1.001 * edge, deviation) is True and decided(-1.001 * edge, deviation) is False
    for gap in (0.0, 0.5 * edge, 0.999 * edge, edge):
        assert decided(gap, deviation) is None and decided(-gap, deviation) is None


@pytest.mark.parametrize("bad", [None, nan, inf, -inf])
def test_what_is_missing_or_not_finite_decides_nothing(bad):
    assert decided(bad, 0.1) is None and decided(5.0, bad) is None and decided(bad, bad) is None
    assert decision(row(bad, 0.1), row(0.0, 0.1))["holds"] is None and decision(row(9.0, bad), row(0.0, 0.1))["holds"] is None


@pytest.mark.parametrize("none", [0.0, -1.0])
def test_a_deviation_of_nothing_is_no_spread(none):
    assert decided(5.0, none) is None


def test_identical_numbers_are_undecided_whatever_they_scatter():
    for spread in (None, 0.0, 1e-9, 1.0):
        assert decision(row(0.5, spread), row(0.5, spread))["holds"] is None


def test_the_deviation_of_a_difference_joins_both_spreads():
    verdict = decision(row(10.0, 3.0), row(0.0, 4.0))
    assert (verdict["by"], verdict["spread"], verdict["holds"]) == (10.0, 5.0, None)  # twice 5 is 10: at the edge
    assert (
        decision(row(10.1, 3.0), row(0.0, 4.0))["holds"] is True and decision(row(-10.1, 3.0), row(0.0, 4.0))["holds"] is False
    )


def test_one_training_with_a_resampling_spread_is_judged_two_with_none_not():
    one = row(0.9, joined(None, binomial(0.9, 1000)), seeds=1)
    assert decision(one, row(0.5, binomial(0.5, 1000), seeds=1))["holds"] is True
    assert decision(row(0.9, None, seeds=2), row(0.5, None, seeds=2))["holds"] is None
    assert decision(one, row(0.5, None, seeds=3))["holds"] is None and decision(row(0.5, None), one)["holds"] is None


def test_numbers_of_different_extractors_are_not_compared():
    verdict = decision(row(90.0, 0.1, "judge-x"), row(10.0, 0.1, "inception"))
    assert verdict["holds"] is None and verdict["by"] is None


def test_one_judge_alone_decides_nothing():
    verdict = decision(row(90.0, 0.1, "judge-x"), row(10.0, 0.1, "judge-x"))
    assert verdict["holds"] is None and verdict["by"] == 80.0 and verdict["alone"] is True
    assert decision(row(90.0, 0.1), row(10.0, 0.1))["holds"] is True


def test_a_claim_of_likeness_holds_within_its_margin_and_fails_beyond():
    def alike(gap):
        return decision(row(0.5 + gap, 0.003), row(0.5, 0.004), margin=0.03)

    assert alike(0.019)["holds"] is alike(-0.019)["holds"] is True and alike(0.019)["by"] == pytest.approx(0.011)
    assert alike(0.041)["holds"] is alike(-0.041)["holds"] is False
    assert [alike(gap)["holds"] for gap in (0.021, -0.03, 0.03, -0.039)] == [None] * 4


def test_an_exact_number_adds_no_spread_on_either_side():
    above, below = (Order("", A, 0.0), Order("", 0.0, A))
    assert verdict(above, {A: row(0.5, 0.2)})["holds"] is True and verdict(below, {A: row(0.5, 0.2)})["holds"] is False
    assert verdict(above, {A: row(0.4, 0.2)})["holds"] is None and verdict(above, {A: row(0.5, None)})["holds"] is None


def test_a_row_that_is_missing_leaves_the_claim_undecided():
    assert judge((Order("x", A, B),), [])[0]["holds"] is None
    assert judge((Order("x", A, B),), [row(0.5, 0.1) | {"name": "A", "column": "c"}])[0]["by"] is None


def test_an_order_rests_on_the_fewer_seeds_and_names_its_places():
    verdict = decision(row(1.0, 0.1, seeds=1, draws=5), row(0.0, 0.1, seeds=3, draws=2))
    assert (verdict["seeds"], verdict["draws"], verdict["over"], verdict["under"]) == (1, 2, ["A", "c"], ["B", "c"])


def test_a_spread_joins_seeds_and_images_and_zero_seeds_tell_nothing():
    assert joined(3.0, 4.0) == 5.0 and joined(None, 4.0) == joined(0.0, 4.0) == 4.0 and joined(3.0, None) == 3.0
    assert joined(None, None) is joined(0.0, None) is joined(0.0, 0.0) is joined(nan, None) is None
    assert joined(0.1, nan) == 0.1


@pytest.mark.parametrize(("rate", "count"), [(0.5, 10), (0.9, 1000), (0.02, 200)])
def test_the_error_of_a_share_is_binomial(rate, count):
    assert binomial(rate, count) == pytest.approx(sqrt(rate * (1 - rate) / count), rel=0.3 if count < 1000 else 0.02)
    assert binomial(rate, count) == pytest.approx(binomial(1 - rate, count))


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_share_of_none_or_all_scatters_too(rate):
    few, many = binomial(rate, 10), binomial(rate, 1000)
    assert 0 < many < 0.0011 < few < 0.12
    assert hypot(few, many) > 0


def test_a_second_judge_has_to_decide_alike():
    order = Order("claim", A, B, second=(("A", "d"), ("B", "d")))

    def seen(second, spread=0.1):
        rows = {A: row(1.0, 0.1), B: row(0.0, 0.1), ("A", "d"): row(second, spread, seeds=1), ("B", "d"): row(0.0, spread)}
        return verdict(order, rows)

    assert seen(1.0)["holds"] is True and seen(1.0)["second"]["over"] == ["A", "d"] and seen(1.0)["seeds"] == 1
    assert seen(-1.0)["holds"] is None and seen(-1.0)["second"]["by"] == -1.0 and seen(-1.0)["by"] == 1.0
    assert seen(0.1)["holds"] is None and seen(1.0, None)["holds"] is None and seen(None)["second"]["by"] is None
    assert "second" not in verdict(Order("claim", A, B), {A: row(1.0, 0.1), B: row(0.0, 0.1)})
