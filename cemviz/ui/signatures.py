"""Gradio reads the signatures of its classes anew for every component of every visitor, a third of a busy server's time.

They do not change, so each is read once.
"""

import inspect
from functools import cache
from types import SimpleNamespace
from typing import Any

from gradio import blocks, component_meta


def read_once() -> None:
    """Let gradio's modules that ask for signatures remember them."""
    for module in (blocks, component_meta):
        if not isinstance(module.inspect, SimpleNamespace):
            kept: dict[str, Any] = {name: cache(getattr(inspect, name)) for name in ("signature", "getfullargspec")}
            module.inspect = SimpleNamespace(**vars(inspect) | kept)
