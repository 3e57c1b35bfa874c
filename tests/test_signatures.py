"""Gradio's signatures are read once, and are the same as before."""

import inspect

import gradio as gr
from gradio import blocks, component_meta

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
