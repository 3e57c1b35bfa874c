"""Gradio's signatures and scripts are read once, and tell the same as before."""

import inspect

import gradio as gr
import pytest
from gradio import blocks, component_meta
from gradio.components import html

from cemviz.ui.signatures import read_once


def test_signatures_are_read_once_and_configurations_are_as_before():
    with gr.Blocks():
        parts = [gr.Dropdown(["a", "b"], label="x"), gr.Number(3), gr.HTML("y"), gr.Markdown("z")]
    before = [part.get_config() for part in parts]
    read_once()
    kept = blocks.inspect
    read_once()
    assert blocks.inspect is kept and component_meta.inspect is not inspect, "done once"
    assert [part.get_config() for part in parts] == before
    assert blocks.inspect.signature(gr.Number.__init__) is blocks.inspect.signature(gr.Number.__init__)
    assert blocks.inspect.signature(gr.Number.__init__) == inspect.signature(gr.Number.__init__)
    assert component_meta.inspect.getfullargspec(gr.Number.__init__) == inspect.getfullargspec(gr.Number.__init__)


def test_scripts_are_searched_once_and_still_tell_their_events():
    read_once()
    with gr.Blocks():
        view, other = gr.HTML("y", js_on_load="trigger('turned')"), gr.HTML("y", js_on_load="trigger('opened')")
    kept = html.re
    for part, event, none in ((view, "turned", "opened"), (other, "opened", "turned")):
        assert callable(getattr(part, event))
        with pytest.raises(AttributeError, match=f"no attribute '{none}'"):
            getattr(part, none)
    asked = kept.search.cache_info().misses
    view.turned, other.opened  # noqa: B018
    read_once()
    assert html.re is kept and kept.search.cache_info().misses == asked
