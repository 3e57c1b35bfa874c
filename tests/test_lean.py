"""A visitor's state holds what was changed for this visitor, and no copy of what was drawn."""

import gradio as gr
import pytest
from conftest import awaited
from gradio.state_holder import StateHolder

from cemviz.ui.lean import LeanState, keep_no_copies
from cemviz.ui.manners import Page


@pytest.fixture
def page():
    """A page whose event sets a picture, a menu's choices and a counter."""
    with Page() as page:
        parts = [gr.HTML("", elem_id="view"), gr.Dropdown(["a"], value="a"), gr.State(0)]
        event = gr.Button().click(lambda menu, count: menu, [parts[1], parts[2]], parts)
    page.parts, page.event = parts, page.fns[event["id"]]
    return page


def answered(page, state):
    view, menu, count = page.parts
    changes = {view: "x" * 1000, menu: gr.update(choices=["a", "b"], value="b"), count: 3}
    return awaited(page.postprocess_data(page.event, changes, state))


def test_a_lean_state_answers_as_gradio_s_own_and_keeps_no_picture(page):
    lean, whole = LeanState(page), LeanState.__base__(page)
    assert answered(page, lean) == answered(page, whole)
    for state in (lean, whole):
        assert awaited(page.preprocess_data(page.event, ["b", None], state)) == ["b", 3]
    assert not any(config for config in lean.config_values.values()) and "x" * 1000 in str(whole.config_values)
    assert list(lean.components) == []


def test_every_visitor_of_a_page_gets_a_lean_state(page, monkeypatch):
    keep_no_copies()
    states = StateHolder()
    states.set_blocks(page)
    assert type(states["a"]) is LeanState and states["a"] is not states["b"]
    assert page.default_config.config_for_block(0, [], page.parts[0]) != {}, "the page's own is as it was"
