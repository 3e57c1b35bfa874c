"""Helpers for the tests of a tab's handlers: the tab on a page of its own, and its first view without a browser."""

from inspect import signature
from typing import Any

import gradio as gr
import pytest

from cemviz.backend.studio import Studio
from cemviz.ui import selection
from cemviz.ui.controls import Session, Tab
from cemviz.ui.wiring import Wiring


def page(module: Any, studio: Studio) -> tuple[gr.Blocks, Tab]:
    """The tab of a module, and the blocks that hold its handlers."""
    with gr.Blocks() as blocks:
        tab = module.build(gr.State(Session()), studio, selection.build(studio))
    return blocks, tab


def first_view(tab: Tab, held: Session, **changes) -> list[dict]:
    """Every update of the first view, its keys the element's id; changes are by name in the address.  The last one is none."""
    function, inputs, _ = tab.draw
    names = {id(component): name for name, component in {**tab.params, **tab.looks}.items()}
    values = [changes.get(names[id(c)], c.value) for c in inputs[1:]]
    *told, last = function(held, *values)
    assert last == gr.skip()
    return [{getattr(k, "elem_id", None) or k: v for k, v in changed.items()} for changed in told]


def wired(module: Any, studio: Studio) -> dict[str, str]:
    """Handlers of a tab's events: `ELEMENT.EVENT` -> name of the handler.  Each is checked to take what it is given."""
    bound = Wiring.bound

    def named(self, handler, inputs):
        claimed = {"begun": None} if hasattr(handler, "__wrapped__") else {}  # by `newest`
        signature(handler).bind(self.studio, None, **claimed, **dict.fromkeys(inputs))
        call = bound(self, handler, inputs)
        call.__name__ = getattr(handler, "func", handler).__name__  # a partial has none of its own
        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wiring, "bound", named)
        blocks, _ = page(module, studio)
    return {
        f"{blocks.blocks[part].elem_id}.{event}": fn.fn.__name__
        for fn in blocks.fns.values()
        for part, event in fn.targets
        if fn.fn is not None and part in blocks.blocks
    }
