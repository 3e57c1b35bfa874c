"""Requests: what does not fit is refused when the request is made, and a field says all that is known of it."""

import inspect
import math
from dataclasses import MISSING, fields, replace

import pytest

from cemviz.backend import requests
from cemviz.backend.checks import BadInput
from cemviz.backend.fields import Choice, Number, as_python, changes, fields_of
from cemviz.backend.requests import EvaluateRequest, LandscapeRequest, SampleRequest
from cemviz.samplers import SAMPLERS

REQUESTS = [row for name, row in vars(requests).items() if inspect.isclass(row) and name.endswith("Request")]
NEEDED = {
    "model": "m", "models": ("m",), "recipe": "mnist-at", "target": "cem-3", "image": "drawn:", "name": "leaves",
    "folder": ".", "source": "net.pt", "repo": "hf:a/b",
}  # fmt: skip


def made(kind, **values):
    return kind(**{f.name: NEEDED[f.name] for f in fields(kind) if f.name in NEEDED and f.default is MISSING} | values)


FIELDS = [(kind, name) for kind in REQUESTS for name in fields_of(kind)]
every = pytest.mark.parametrize(("kind", "name"), FIELDS, ids=[f"{kind.__name__}-{name}" for kind, name in FIELDS])


@every
def test_a_field_has_words_and_its_default_fits_it(kind, name):
    about = fields_of(kind)[name]
    assert about.title and set(fields_of(kind)) == {f.name for f in fields(kind)} - {"changes"}
    default = next(f.default for f in fields(kind) if f.name == name)
    if default not in (None, MISSING):
        assert about.check(name, default) == default


NUMBERS = [(kind, name) for kind, name in FIELDS if isinstance(fields_of(kind)[name], Number)]


@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=[f"{kind.__name__}-{name}" for kind, name in NUMBERS])
def test_a_number_out_of_range_is_refused_by_name_symbol_value_and_range(kind, name):
    about = fields_of(kind)[name]
    bad = [about.low - 1, float("nan"), "many", [1], True if about.low > 1 else "1e"]
    bad += [] if math.isinf(about.high) else [about.high + 1]
    bad += [about.low + 0.5] if about.whole else []
    for value in bad:
        with pytest.raises(BadInput) as refused:
            made(kind, **{name: value})
        text = str(refused.value)
        assert refused.value.field == name and name in text and about.symbol in text and "give a" in text and "\n" not in text


CHOICES = [(kind, name) for kind, name in FIELDS if isinstance(fields_of(kind)[name], Choice)]


@pytest.mark.parametrize(("kind", "name"), CHOICES, ids=[f"{kind.__name__}-{name}" for kind, name in CHOICES])
def test_a_name_that_is_not_in_its_table_is_refused_with_those_that_are(kind, name):
    with pytest.raises(BadInput) as refused:
        made(kind, **{name: "nonsense"})
    assert all(known in str(refused.value) for known in fields_of(kind)[name].names())


def test_a_row_that_was_added_to_a_table_may_be_asked_for(monkeypatch):
    monkeypatch.setitem(SAMPLERS, "mine", SAMPLERS["rcs"])
    assert SampleRequest("m", "mine").sampler == "mine"


def test_other_types_unknown_fields_and_an_even_side_are_one_line():
    for kind, values in ((SampleRequest, {"model": 3}), (SampleRequest, {"nope": 1}), (LandscapeRequest, {"side": 4})):
        with pytest.raises(BadInput) as refused:
            made(kind, **values)
        assert "\n" not in str(refused.value) and next(iter(values)) in str(refused.value)


def test_what_has_to_be_given_is_not_none():
    for kind, name in (
        (SampleRequest, "count"),
        (SampleRequest, "sampler"),
        (EvaluateRequest, "seed"),
        (SampleRequest, "model"),
    ):
        with pytest.raises(BadInput) as refused:
            made(kind, **{name: None})
        assert refused.value.field == name
    assert SampleRequest("m", noise=None).noise is None


def test_replacing_a_value_checks_it_again():
    with pytest.raises(BadInput, match=r"η \(noise\) is -1; give a number from 0 to 10"):
        replace(SampleRequest("m"), noise=-1)


def test_numbers_come_as_the_type_that_the_field_says():
    asked = SampleRequest("m", count=3.0, steps="7", step="0.5", radius="inf")
    assert (asked.count, asked.steps, asked.step, asked.radius) == (3, 7, 0.5, math.inf)
    assert isinstance(asked.count, int) and isinstance(asked.steps, int)


def test_the_python_of_a_request_makes_it_again_and_names_what_differs():
    asked = SampleRequest("m", "cs", ("3", 4), noise=0.1)
    assert as_python(asked) == "SampleRequest(model='m', sampler='cs', classes=('3', 4), noise=0.1)"
    assert eval(as_python(asked)) == asked and changes(EvaluateRequest("m")) == {"model": "m"}
