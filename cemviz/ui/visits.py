"""Visits end some minutes after their page was closed: the game, the nets, the files and the memory of a visitor go.

Gradio keeps what a session holds for an hour, and what it knows of its components until a thousand others have come.
"""

import ctypes
import gc
import threading
from contextlib import suppress
from datetime import datetime, timedelta

import gradio as gr

from ..backend.diary import LOG

AFTER = timedelta(minutes=10)
"""For who comes back: a laptop that slept, a network that was away."""

LOOK = 60.0
"""Seconds between two looks."""


def count(page: gr.Blocks) -> int:
    """Pages that are open now."""
    return sum(not session.is_closed for session in list(page.state_holder.session_data.values()))


def sweep(page: gr.Blocks, now: datetime | None = None) -> int:
    """End the visits whose page was closed, and not used since; returns how many."""
    holder, ended = page.state_holder, 0
    left = (now or datetime.now()) - AFTER
    for name, session in list(holder.session_data.items()):
        if session.is_closed and holder.time_last_used.get(name, left) <= left:
            holder.delete_state(name)
            with holder.lock:
                holder.session_data.pop(name, None)
                holder.time_last_used.pop(name, None)
            ended += 1
    return ended


def give_back() -> None:
    """Hand free memory back to the system: what a visit held lies in cycles, and glibc keeps what is free among the rest."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another system's
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def watch(page: gr.Blocks, stop: threading.Event) -> None:
    """End visits as long as the page is open."""

    def look() -> None:
        while not stop.wait(LOOK):
            if ended := sweep(page):
                LOG.info("visits: %d ended, %d open", ended, count(page))
                give_back()

    threading.Thread(target=look, daemon=True, name="visits").start()
