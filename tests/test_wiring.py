"""Wiring: handlers by name, and the event that gradio hands to a click."""

import gradio as gr
import pytest
from gradio.helpers import special_args

from cemviz.backend.checks import BadInput
from cemviz.backend.look.pictures import pictured
from cemviz.backend.requests import RestoreRequest
from cemviz.ui.controls import LIGHT, Session
from cemviz.ui.views import live_plot
from cemviz.ui.wiring import Wiring


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
