"""A game that plays by itself: some frames at a time, as fast as the browser takes them up."""

import threading
import time
from collections.abc import Callable, Iterator

from ...backend.device import one_core
from ...backend.frame import Picture
from ...backend.studio import Studio
from ...dynamics import Diverged
from ..controls import Session
from ..wiring import Changes
from . import plots, words
from .handlers import draw, ended, grounds, moved, planes

RATE = 30  # frames a second
BATCH = 10  # frames that travel together: gradio's stream looks for news 20 times a second
CALM = 2  # numbers and curves are renewed with one batch of so many: each view that changes costs the browser as much
AHEAD = 1  # batches on their way that the browser has not begun to play: more would pile up and outlast a press on Pause
PATIENCE = 5.0  # seconds to wait for it
SLOW = {"attack": 2.5, "learn": 1.6}  # seconds of a move of the slow motion: its scenes, see `moves.js`, and time to read
LIMIT = 2000  # turns of one press on Play: a forgotten page must not compute for ever


class Court:
    """Where the games of all visitors are played, one at a time.

    Attributes:
        players: runs that play now.
        free: when the next may compute.
    """

    def __init__(self) -> None:
        self.lock, self.players, self.free = threading.Lock(), set[object](), 0.0


COURT = Court()


def play(studio: Studio, session: Session, *, speed: int) -> Iterator[Changes]:
    """Play until paused, at most LIMIT turns: some frames at a time, which the browser draws at an even pace."""
    run = session.state["play.run"] = object()
    session.state["play.speed"] = speed
    stop, ground = session.stops["playground"], session.playground
    stop.clear()
    began, batches = ground.game.turn, 0
    ahead = session.state.get("play.taken")

    def going() -> bool:
        return not stop.is_set() and session.state["play.run"] is run

    def within() -> bool:
        return going() and ground.game.turn - began < LIMIT

    try:
        COURT.players.add(run)
        while within():
            at = time.perf_counter()
            if session.state["play.speed"] == 0:
                for which, seconds in SLOW.items():
                    yield moved(session, which)
                    if stop.wait(seconds) or not going():
                        return
                continue
            pictures = _in_turn(session, within)
            if not pictures or not going():  # a pause shows where the game stands, and nothing that is older may follow it
                return
            rest = {} if batches % CALM else {**draw(session, words.each_turn(ground.game.rules))}
            if batches:  # it is said once: later it could reach the browser after the answer to Pause
                rest.pop("status", None)
            yield rest | planes(*(plots.plane(*frames, live=True) for frames in zip(*pictures, strict=True)))
            batches += 1
            ahead = _wait(session, ahead)
            stop.wait(max(0.0, len(pictures) / RATE - (time.perf_counter() - at)))
        if going():
            yield draw(session, words.ENOUGH.format(LIMIT))
    except Diverged as fault:
        yield ended(session, fault)
    finally:
        COURT.players.discard(run)
        if session.state.get("play.run") is run:  # a newer run has the flag to itself
            stop.set()


def _in_turn(session: Session, going: Callable[[], bool]) -> list[list[Picture]]:
    """The next pictures. Games of several visitors compute one at a time, and half of the time: the rest is the server's."""
    with COURT.lock:
        session.stops["playground"].wait(max(0.0, COURT.free - time.perf_counter()))
        began = time.perf_counter()
        pictures = _played(session, going)
        if len(COURT.players) > 1:
            COURT.free = 2 * time.perf_counter() - began
    return pictures


def _played(session: Session, going: Callable[[], bool]) -> list[list[Picture]]:
    """The next pictures of games that play, one of each a time: as many as are due, at least one; none of games that ended."""
    games, pictures, began = grounds(session), [], time.perf_counter()
    with one_core():
        while len(pictures) < BATCH and (not pictures or time.perf_counter() - began < BATCH / RATE):
            for _ in range(session.state["play.speed"] or 1):
                if not going():
                    return pictures
                for ground in games:
                    ground.both()
            pictures.append([ground.picture() for ground in games])
    return pictures


def acknowledge(studio: Studio, session: Session) -> None:
    """Note that the browser began to play a batch."""
    session.state["play.taken"] = session.state.get("play.taken", 0) + 1


def _wait(session: Session, sent: int | None) -> int | None:
    """After a batch, until the browser keeps pace; a visitor without a browser (None) is never waited for."""
    if sent is None:
        return None
    sent += 1
    began = time.perf_counter()
    stop = session.stops["playground"]
    while sent - session.state["play.taken"] > AHEAD and time.perf_counter() - began < PATIENCE and not stop.wait(0.01):
        pass
    return min(sent, session.state["play.taken"] + AHEAD)


def pause(studio: Studio, session: Session) -> Changes:
    """Stop before the next turn, and show where."""
    session.stops["playground"].set()
    frame = draw(session, "")  # waits for the turn that is being played
    return frame | {"status": words.PAUSED.format(session.playground.game.turn)}


def set_speed(studio: Studio, session: Session, *, speed: int) -> None:
    """Play so many turns a frame from the next frame on; 0 is the slow motion."""
    session.state["play.speed"] = speed
