"""Gradio reads the signatures of its classes, and looks through the scripts of its HTML, anew for every component of every
visitor: a third of a busy server's time.

They do not change, so each is read once.
"""

import inspect
import re
from functools import cache
from types import SimpleNamespace
from typing import Any

from gradio import blocks, component_meta
from gradio.components import html


def read_once() -> None:
    """Let gradio's modules that ask for signatures, and for events in a script, remember the answers."""
    cached: dict[str, Any] = {name: cache(getattr(inspect, name)) for name in ("signature", "getfullargspec")}
    for module in (blocks, component_meta):
        if not isinstance(module.inspect, SimpleNamespace):
            module.inspect = SimpleNamespace(**vars(inspect) | cached)
    if not isinstance(html.re, SimpleNamespace):
        html.re = SimpleNamespace(**vars(re) | {"search": cache(re.search)})
