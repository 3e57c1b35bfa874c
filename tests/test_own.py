"""Densities of a visitor's own on the playground: painted and dragged, they begin a game, and its menus and Python say so."""

import json

import pytest
import torch

from cemviz.backend.checks import BadInput
from cemviz.backend.requests import PlayRequest
from cemviz.data.named import on_support, p_data
from cemviz.data.painted import CELLS, PREFIX, name_of
from cemviz.data.toys import P0S, TOYS

gr = pytest.importorskip("gradio")
from cemviz.ui.controls import Session  # noqa: E402
from cemviz.ui.playground import handlers as do  # noqa: E402
from cemviz.ui.playground import own, tab  # noqa: E402

MAXIMIN = do.controls_of(None, None, preset="maximin") | {"preset": "maximin"}
BAR = torch.zeros(CELLS, CELLS, dtype=torch.int64)
BAR[3:6] = 2
NAME = name_of(BAR)
LETTERS = NAME.removeprefix(PREFIX)


def painted(session, painting=LETTERS, **changes):
    return own.paint(None, session, painting=painting, **{k: v for k, v in (MAXIMIN | changes).items() if k != "data"})


def placed(session, x, y, size=1.0, **changes):
    return own.place(None, session, x=x, y=y, size=size, **MAXIMIN | changes)


def test_a_painting_begins_a_game_and_is_offered_in_the_menu():
    session = Session()
    session.playground.both(2)
    told = painted(session)
    game = session.playground.game
    assert (game.turn, game.rules.data) == (0, NAME) and on_support(NAME, game.x_data).all()
    assert told["data"]["value"] == NAME and told["data"]["choices"] == [
        *((toy.title, key) for key, toy in TOYS.items()), ("Painted", NAME),
    ]  # fmt: skip
    assert json.loads(told["plane"])["laid"]["painting"] == LETTERS
    assert "p_data Painted" in told["story"] and "what you painted" in told["status"]


@pytest.mark.parametrize("painting", ["", "A" * 342, "A", "<script>", None])
def test_an_empty_or_broken_painting_leaves_the_game(painting):
    session = Session()
    game = session.playground.game
    with pytest.raises(BadInput, match="data is"):
        painted(session, painting)
    assert session.playground.game is game and game.rules.data == "gaussian"


def test_a_dragged_p0_begins_a_game_and_is_offered_in_the_menu():
    session = Session()
    session.playground.both(2)
    told = placed(session, 1.234, -0.5, 2, p0="corner")
    game = session.playground.game
    assert (game.turn, game.rules.p0) == (0, "corner@1.23,-0.5,2")
    assert told["p0"]["value"] == "corner@1.23,-0.5,2"
    assert told["p0"]["choices"][-1] == ("Lower left corner, dragged to (1.23, −0.5), size 2", "corner@1.23,-0.5,2")
    laid = json.loads(told["plane"])["laid"]["p0"]
    assert laid == {"x": 1.23, "y": -0.5, "size": 2, "reach": P0S["corner"].reach, "least": 0.4}
    again = placed(session, 0, 0, p0="corner@1.23,-0.5,2")  # the row stays
    assert again["p0"]["value"] == "corner@0,0" and len(again["p0"]["choices"]) == len(P0S) + 1
    home = placed(session, -2.3, -2.3, p0="corner@0,0")
    assert home["p0"]["value"] == "corner" and len(home["p0"]["choices"]) == len(P0S)


@pytest.mark.parametrize("place", [(float("nan"), 0, 1), (0, 4, 1), (0, 0, -1), (0, 0, "wide"), (None, 0, 1)])
def test_a_place_that_is_none_leaves_the_game(place):
    session = Session()
    game = session.playground.game
    with pytest.raises(BadInput):
        placed(session, *place)
    assert session.playground.game is game and game.rules.p0 == "uniform"


def test_the_game_beside_has_the_painting_too_and_its_own_p0():
    session = Session()
    told = painted(session, beside="p0:corner")
    first, second = do.grounds(session)
    assert (first.rules.data, second.rules.data) == (NAME, NAME) and told["second"]["visible"]
    placed(session, 1, 1, beside="p0:corner", data=NAME)
    first, second = do.grounds(session)
    assert first.rules.p0.startswith("uniform@") and second.rules.p0 == "corner" and second.rules.data == NAME


def test_another_density_takes_the_painting_off_the_plane():
    session = Session()
    painted(session)
    told = do.restart(None, session, **MAXIMIN)
    assert json.loads(told["plane"])["laid"] == {"painting": None, "p0": {"x": 0, "y": 0, "size": 1, "reach": 3, "least": 0.07}}


@pytest.mark.slow
def test_a_link_to_a_painting_opens_with_it_on_the_plane():
    told = do.first(None, session := Session(), layers=["data"], field="D", **MAXIMIN | {"data": NAME, "p0": "corner@1,1"})
    plane = json.loads(told["plane"])
    assert plane["laid"]["painting"] == LETTERS and plane["laid"]["p0"]["x"] == 1 and plane["story"] is None
    assert p_data(NAME).log_prob(session.playground.game.x_data).isfinite().all()


def test_the_python_of_a_game_says_what_was_painted_and_where_p0_lies():
    session = Session()
    told = painted(session, p0="corner@1,1", seed=3)["script"]
    assert f"PlayRequest(data={NAME!r}, p0='corner@1,1', seed=3)" in told and "changed on the page" not in told
    assert f"--data {NAME} --p0 corner@1,1 --seed 3" in told
    assert PlayRequest("maximin", data=NAME, p0="corner@1,1").data == NAME


def test_an_address_reads_a_visitor_s_own_and_nothing_else():
    with gr.Blocks():
        built = tab.build(gr.State(Session()), None, None)
    reads = {part.elem_id: read for part, read in built.readers.items()}
    assert reads["play-data"](NAME) == ("Painted", NAME) and reads["play-data"]("painted:A") is None
    assert reads["play-p0"]("ring@0.1,0")[1] == "ring@0.1,0" and reads["play-p0"]("ring@3,0") is None
