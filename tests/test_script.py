"""The Python of a picture makes it again; the command line of a picture is one that the command line knows."""

import shlex

import pytest
import torch
import typer
from stripes import binary, card

from cemviz.backend import script, store
from cemviz.backend.requests import (
    EvaluateRequest,
    LandscapeRequest,
    PlayRequest,
    RestoreRequest,
    RobustnessRequest,
    SampleRequest,
    SweepRequest,
)
from cemviz.cli import app
from cemviz.nets import build
from cemviz.starts import fit

ASKED = [
    SampleRequest("stripes-at", "cs", ("left", "right"), 3, noise=0.0, radius=float("inf"), steps=2),
    SweepRequest(
        "stripes-at",
        "cs",
        over=("noise", "radius"),
        values=((0, 0.1), (1, float("inf"))),
        metric=("own", "distance"),
        seeds=1,
        steps=2,
    ),
    EvaluateRequest("stripes-at", count=10),
    LandscapeRequest(("stripes-at",), "test:0", side=5),
    RobustnessRequest(("stripes-at",), ("fgsm",), count=10, curve=False),
    RestoreRequest("stripes-binary", "inpaint", "test:3", 2, mask="2,2,3,3", hold=True),
    PlayRequest(steps=1),
]


@pytest.fixture
def stored(places):
    net = build("small-resnet", seed=1, width=4, mean=[0.4] * 3, std=[0.3] * 3, outputs=3)
    store.save(net, card("stripes-at"))
    store.save(*binary("stripes-binary"))
    images = torch.rand(30, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    store.save_gaussians("stripes", fit(images, torch.arange(30) % 3, 3, rank=4))


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: type(asked).__name__)
def test_the_script_of_a_request_runs_it(stored, asked):
    names: dict = {}
    exec(script.python(asked), names)
    (results,) = names["results"]
    assert len(results) == 1


def test_two_requests_make_two_results(stored):
    names: dict = {}
    exec(script.python(ASKED[0], ASKED[0]), names)
    assert [(chains.final == names["results"][0][0].final).all() for (chains,) in names["results"]] == [True, True]


@pytest.mark.parametrize("asked", [each for each in ASKED if script.command(each)], ids=lambda asked: type(asked).__name__)
def test_the_command_line_of_a_request_asks_for_the_same(asked):
    words = shlex.split(script.command(asked))
    assert words[:3] == ["python", "-m", "cemviz"] and script.command(asked) in script.listing(asked)
    group = typer.main.get_command(app)
    with group.make_context("cemviz", words[3:]) as outer:
        name, command, rest = group.resolve_command(outer, words[3:])
        with command.make_context(name, rest):
            pass
