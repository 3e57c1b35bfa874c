"""Visits end some minutes after their page was closed: the game, the nets, the files and the memory of a visitor go.

Gradio keeps what a session holds for an hour, and what it knows of its components until a thousand others have come.  A visit
that drew much holds some 20 MiB: where the server holds more than it may, closed ones end at once.
"""

import ctypes
import gc
import re
import threading
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import gradio as gr

from ..backend.diary import LOG

AFTER = timedelta(minutes=10)
"""For who comes back: a laptop that slept, a network that was away."""

LOOK = 20.0
"""Seconds between two looks."""

LEAST = timedelta(seconds=30)
"""Time that a closed visit has in any case: a page that is loaded anew is another one for a moment."""


def count(page: gr.Blocks) -> int:
    """Pages that are open now."""
    return sum(not session.is_closed for session in list(page.state_holder.session_data.values()))


def sweep(page: gr.Blocks, now: datetime | None = None, after: timedelta = AFTER) -> int:
    """End the visits whose page was closed, and not used for that long; returns how many."""
    holder, ended = page.state_holder, 0
    left = (now or datetime.now()) - after
    for name, session in list(holder.session_data.items()):
        if session.is_closed and holder.time_last_used.get(name, left) <= left:
            holder.delete_state(name)
            with holder.lock:
                holder.session_data.pop(name, None)
                holder.time_last_used.pop(name, None)
            ended += 1
    return ended


def full(memory: int) -> bool:
    """Whether the server holds more than so many MiB."""
    return (resident() or 0) > memory * 2**20


def resident() -> int | None:
    """Resident bytes of this process, or None where nobody knows them."""
    with suppress(OSError):
        if match := re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text()):
            return int(match[1]) * 1024
    return None


def give_back() -> None:
    """Hand free memory back to the system: what a visit held lies in cycles, and glibc keeps what is free among the rest."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another system's
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def watch(page: gr.Blocks, stop: threading.Event, memory: int) -> None:
    """End visits as long as the page is open.

    Args:
        memory: MiB of the server, beyond which closed visits do not wait for their ten minutes.
    """

    def look() -> None:
        while not stop.wait(LOOK):
            if ended := sweep(page, after=LEAST if full(memory) else AFTER):
                LOG.info("visits: %d ended, %d open", ended, count(page))
                give_back()

    threading.Thread(target=look, daemon=True, name="visits").start()
