"""Wiring: handlers by name, and the event that gradio hands to a click."""

import gradio as gr
import pytest
from gradio.helpers import special_args

from cemviz.backend.checks import BadInput
from cemviz.backend.look.pictures import pictured
from cemviz.backend.requests import RestoreRequest
from cemviz.ui.controls import LIGHT, Session
from cemviz.ui.views import live_plot
from cemviz.ui.wiring import Replaced, Wiring, claim, newest, played


@pytest.fixture
def wired():
    """A figure whose clicks are told in words, as gradio calls it: (inputs, data of the event) -> changes."""

    def told(studio, held, *, word: str, at: float, place: float):
        if at < 0:
            raise BadInput("at", "too far left")
        return {"said": f"{studio} {word} {at} {place}"}

    with gr.Blocks() as blocks:
        parts = {"word": gr.Textbox(), "said": gr.Markdown(), "figure": live_plot(label="f")}
        wire = Wiring(gr.State(None), "studio", parts)
        wire.click(parts["figure"], told, ["word"], ["said"], {"at": "x", "place": "y"}, **LIGHT)
    (event,) = blocks.fns.values()

    def click(word: str, **data: float):
        inputs, *_ = special_args(event.fn, [Session(), word], event_data=gr.EventData(None, data))
        return {name: value for part, value in event.fn(*inputs).items() for name in parts if parts[name] is part}

    assert event.inputs[1:] == [parts["word"]]
    return click


def test_a_click_hands_its_place_to_the_handler_under_the_handler_s_names(wired):
    assert wired("there:", x=2, y=-1.5) == {"said": "studio there: 2 -1.5"}


def test_where_a_test_image_is_not_here_the_gallery_s_takes_its_place():
    asked_for = []

    def lacking(studio, request):
        asked_for.append(request.image)
        if not request.image.startswith("gallery"):
            raise BadInput("image", "no pixels")
        yield "climbed"

    assert list(pictured("studio", lacking, RestoreRequest("tells", image="grid:4"))) == ["climbed"]
    assert asked_for == ["grid:4", "gallery:4"]
    with pytest.raises(BadInput, match="no pixels"):  # what else is no picture is told
        list(pictured("studio", lacking, RestoreRequest("tells", image="test:99")))


def test_what_a_visitor_can_mend_reaches_them_after_a_click_too(wired):
    with pytest.raises(gr.Error, match="too far left"):
        wired("there:", x=-1, y=0)


@newest("board")
def lines(studio, held, *, begun, story="", word=""):
    """A picture of three lines."""
    for k in range(3):
        yield {"said": f"{word} {k}"}


def test_a_picture_tells_nothing_once_a_newer_one_began():
    held = Session()
    first, second = lines("studio", held, word="old"), lines("studio", held, word="new")
    assert next(first) == {"said": "old 0"} and next(second) == {"said": "new 0"}
    with pytest.raises(Replaced):
        next(first)
    assert [change["said"] for change in second] == ["new 1", "new 2"]
    assert held.stops["board"].is_set()  # nothing is at work


def test_a_story_claims_its_tab_once_so_that_its_picture_cannot_end_a_newer_one():
    held = Session()
    play = played("board", lambda studio, held, *, story: {"word": story}, lines)
    old, new = (play("studio", held, story=story, word="") for story in ("old", "new"))
    assert next(old) == {"word": "old"}
    assert next(new) == {"word": "new"}
    with pytest.raises(Replaced):  # it had yet to begin its picture
        next(old)
    assert [change["said"] for change in new] == ["new 0", "new 1", "new 2"]


def test_a_replaced_picture_leaves_what_the_newer_one_claimed():
    held = Session()
    old = lines("studio", held)
    next(old)
    newer = claim(held, "board")
    with pytest.raises(Replaced):
        next(old)
    assert held.stops["board"] is newer and not newer.is_set()


@pytest.mark.parametrize("said", [(), ("one",), ("one", "two")])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_stream_s_last_word_changes_nothing(said, replaced):
    """Gradio sends the last word of a stream once more when it ends, or None for everything where there was no word."""

    def told(studio, held):
        for word in said:
            yield {"said": word}
        if replaced:
            raise Replaced

    with gr.Blocks():
        wire = Wiring(gr.State(None), "studio", {"said": gr.Markdown()})
    *words, last = wire.bound(told, [])(Session())
    assert [change[wire.parts["said"]] for change in words] == list(said)
    assert last == gr.skip()
