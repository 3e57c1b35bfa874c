"""The soak: gradio's protocol without a browser, and what visitors met, in numbers."""

import pytest

from cemviz.backend.checks import BadInput
from cemviz.backend.requests import SoakRequest
from cemviz.backend.soak import run as soaking
from cemviz.backend.soak.run import KINDS, soak
from cemviz.backend.soak.visitor import patched
from cemviz.backend.use_case import follow


@pytest.mark.parametrize(
    ("old", "changes", "new"),
    [
        ("abc", [["append", [], "d"]], "abcd"),
        ("abc", [["replace", [], "x"]], "x"),
        ([1, 2, 3], [["replace", [1], 5]], [1, 5, 3]),
        ([1, 2, 3], [["delete", [0], None]], [2, 3]),
        ([1, 3], [["add", [1], 2]], [1, 2, 3]),
        ({"a": {"b": "x"}}, [["append", ["a", "b"], "y"], ["add", ["c"], 1]], {"a": {"b": "xy"}, "c": 1}),
        ({"a": 1, "b": 2}, [["delete", ["a"], None]], {"b": 2}),
        ("abc", [], "abc"),
    ],
)
def test_a_value_is_patched_as_gradio_says(old, changes, new):
    kept = repr(old)
    assert patched(old, changes) == new and repr(old) == kept


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.org", "of this machine"), ("https://127.0.0.1", "of this machine"), ("127.0.0.1:9", "of this machine"),
        ("http://127.0.0.1.example.org", "of this machine"), ("http://127.0.0.1:9", "no page of cemviz answers"),
    ],
)  # fmt: skip
def test_only_a_page_of_this_machine_is_driven(url, words):
    with pytest.raises(BadInput, match=words):
        follow(soak(SoakRequest(url, 1, 0.05)))


def test_kinds_come_by_their_shares_and_nobody_is_lost():
    assert sum(share for _, share in KINDS.values()) == pytest.approx(1)
    for count in (1, 2, 7, 50):
        assert len(soaking._kinds(count)) == count
    assert {kind: soaking._kinds(100).count(kind) for kind in KINDS} == {
        kind: 100 * share for kind, (_, share) in KINDS.items()
    }


def test_times_are_told_by_their_quantiles():
    assert soaking._spread([float(i) for i in range(1, 102)]) == {"count": 101, "p50": 51.0, "p95": 96.0, "most": 101.0}
    assert soaking._spread([2.0]) == {"count": 1, "p50": 2.0, "p95": 2.0, "most": 2.0}
