"""What the tests of a tab's handlers share: the tab on a page of its own, and its first view without a browser."""

from typing import Any

import gradio as gr

from cemviz.backend.studio import Studio
from cemviz.ui.controls import Session, Tab


def page(module: Any, studio: Studio) -> tuple[gr.Blocks, Tab]:
    """The tab of a module, and the blocks that hold its handlers."""
    with gr.Blocks() as blocks:
        tab = module.build(gr.State(Session()), studio)
    return blocks, tab


def first_view(tab: Tab, held: Session, **changes) -> list[dict]:
    """Every update of the first view, its keys the element's id; changes are by name in the address."""
    function, inputs, _ = tab.draw
    names = {id(component): name for name, component in tab.params.items()}
    values = [changes.get(names[id(c)], c.value) for c in inputs[1:]]
    return [{getattr(k, "elem_id", None) or k: v for k, v in changed.items()} for changed in function(held, *values)]
