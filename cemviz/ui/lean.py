"""A visitor's state in gradio without the copy of the page that its deep links need: this page's address is its link.

That copy has the configuration of every component and the last value that each was sent, all drawn pictures among them.
"""

from types import SimpleNamespace
from typing import Any

from gradio import Blocks, blocks, route_utils, state_holder
from gradio.state_holder import SessionState


class LeanState(SessionState):
    """The state of one visitor: components that were changed for this one, and the values of `gr.State`."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks={}))  # type: ignore[arg-type]
        self.blocks_config.config_for_block = _none  # type: ignore[method-assign]


def _none(*_: Any) -> dict[str, Any]:
    """The configuration that is kept of a component."""
    return {}


def keep_no_copies() -> None:
    """Let gradio make lean states from now on, for every page of this process."""
    for module in (state_holder, blocks, route_utils):
        module.SessionState = LeanState  # type: ignore[misc]
