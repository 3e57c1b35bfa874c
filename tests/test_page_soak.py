"""A few visitors of every kind at the page for some seconds: nobody is refused, and everybody is told something."""

import pytest
from pages import MARKS

from cemviz.backend.requests import SoakRequest
from cemviz.backend.soak import run as soaking
from cemviz.backend.soak.run import KINDS, soak
from cemviz.backend.use_case import follow

pytestmark = [MARKS[1], pytest.mark.slow]  # it needs no browser


def test_visitors_of_every_kind_are_served_without_a_refusal(url, monkeypatch):
    monkeypatch.setattr(soaking, "_kinds", lambda visitors: list(KINDS))
    met = follow(soak(SoakRequest(url, len(KINDS), 0.3)))[-1]
    assert met["faults"] == {} and set(met["visits"]) == set(KINDS)
    assert {"document", "address", "light", "first word"} <= set(met["took"])
    assert any(what.startswith("first view") for what in met["took"]) and met["memory"]["after"] > 10**8
