"""Numbers in words."""

import pytest

from cemviz.ui.numbers import minus


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("-0.85 → -.20 nats", "−0.85 → −.20 nats"), ("-2.00 (+0.00)", "−2.00 (+0.00)"), ("(-1.5)", "(−1.5)"),
        ("-1e-05", "−1e−05"), ("node-5", "node-5"),
        ("PGD-20 and mnist-at", "PGD-20 and mnist-at"), ("langevin-pairs - 3", "langevin-pairs - 3"),
    ],
)  # fmt: skip
def test_a_negative_number_has_a_true_minus_and_a_hyphen_stays(text, told):
    assert minus(text) == told
