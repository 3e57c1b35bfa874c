"""The playground: a game in the plane, move by move, as plain arrays."""

import copy
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from typing import Any, TypeVar

import numpy as np
import torch

from ..data.toys import BOX
from ..dynamics import slope, unit
from ..metrics.game import Standing, grid, utility
from ..training.game import Game, Rules
from .checks import MAX_SEED, choice, number
from .device import one_core
from .frame import Picture, View
from .presets import PLAY
from .requests import PlayRequest, RulesRequest
from .seat import Seat
from .studio import Studio
from .use_case import Step

T = TypeVar("T")

LIVE = ("steps", "step", "shrink", "inner", "lr")
"""Rules that may change in the middle of a game; the others need a new one."""

PATHS = 64
"""Number of points whose way is recorded."""

TRAIL = 25
"""Positions of a way that are sent, at most; the first and the last are among them."""

SIDE, ARROWS = 61, 15
"""Points along an edge of the grid and of the gradient field."""

RECORD = ("U", "D_support", "spurious", "gap", "variation")
"""Numbers of a standing that are kept over the turns."""

HISTORY = 400
"""Longer histories lose every second entry, the oldest and the newest excepted."""


def rules(preset: str = "maximin", **changes: Any) -> Rules:
    """A preset's rules with some numbers changed, checked.

    Raises:
        BadInput
    """
    return changed_rules(PLAY[choice("preset", preset, PLAY)].rules, **changes)


def changed_rules(base: Rules, **changes: Any) -> Rules:
    """Rules with some numbers changed, checked; None leaves one as it is.

    Raises:
        BadInput
    """
    numbers = {name: value for name, value in changes.items() if value is not None}
    return Rules(**asdict(RulesRequest(**asdict(base) | numbers)))


def warm_up() -> None:
    """Load what the first optimiser of a process loads: seconds that would be the first visitor's."""
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])


class Playground:
    """A visitor's game, built when it is first asked for.  Moves take a lock, since a page may send two at once.

    Attributes:
        seed: of net and draws.
        seconds: spent in the moves of the game in progress.
    """

    def __init__(self, rules: Rules | None = None, seed: int = 0) -> None:
        self._lock = threading.RLock()
        self.reset(rules or PLAY["maximin"].rules, seed)

    def reset(self, rules: Rules, seed: int = 0, seat: Seat | None = None) -> None:
        """Begin anew, or go on from a state that a game with these rules was left in.

        Raises:
            BadInput: the seed; the game in progress stays.
        """
        seed = int(number("seed", seed, 0, MAX_SEED, whole=True))
        with self._lock:
            self._rules, self.seed, self.seconds, self._seat = rules, seed, 0.0, seat
            self._game: Game | None = None

    @property
    def rules(self) -> Rules:
        """Rules of the game in progress, which need not be built for that."""
        with self._lock:
            return self._game.rules if self._game else self._rules

    @property
    def game(self) -> Game:
        """The game in progress: its net, its points, its rules."""
        with self._lock:
            if self._game is None:
                self._game = Game(self._rules, self.seed)
                self._start = self._game.moved
                self._trail = [self._start[:PATHS]]
                self._history: list[tuple[float, ...]] = []
                if self._seat is not None:
                    self._take(self._seat)
            return self._game

    def _take(self, seat: Seat) -> None:
        self._game.resume(seat.turn, seat.updates, seat.weights, seat.squares, seat.data, seat.moved)
        self._start, self._trail = seat.start, list(seat.trail)
        self._history = [tuple(row) for row in seat.history]

    def leave(self) -> Seat:
        """The state of the game in progress."""
        with self._lock:
            game = self.game
            weights, squares = game.vectors()
            history = [list(row) for row in self._history]
            moved, trail = game.moved, torch.stack(self._trail)
            return Seat(game.turn, game.updates, history, weights, squares, game.x_data, self._start, moved, trail)

    def change(self, **numbers: Any) -> None:
        """Other numbers from the next move on; net, points and turn stay.

        Args:
            numbers: some of LIVE.
        Raises:
            BadInput: a value out of range; nothing has changed then.
            ValueError: a rule that needs a new game.
        """
        if fixed := set(numbers) - set(LIVE):
            raise ValueError(f"{', '.join(sorted(fixed))} cannot change in the middle of a game; reset it")
        with self._lock:
            self.game.rules = changed_rules(self.game.rules, **numbers)
            for group in self.game.optimizer.param_groups:
                group["lr"] = self.game.rules.lr

    def attack(self) -> None:
        """p_T's move."""
        with self._lock:
            path = self._timed(self.game.attack)
            if self.game.rules.rule == "maximin":  # every attack starts anew
                self._start, self._trail = path[0], list(path[:, :PATHS])
            else:  # it goes on from where the points are
                self._trail.append(path[-1][:PATHS])

    def learn(self) -> None:
        """D's move.

        Raises:
            Diverged
        """
        self._timed(self.game.learn)

    def push(self, move: str) -> float:
        """Make a move, `attack` or `learn`, and tell by how much it changed U, nats, on the points that it was made with."""
        with self._lock, torch.no_grad():
            old = copy.deepcopy(self.game.net)
            with torch.enable_grad():
                getattr(self, move)()
            game = self.game
            came = game.path[0] if move == "attack" else game.moved
            now, before = (utility(net(game.x_data), net(x)) for net, x in ((game.net, game.moved), (old, came)))
            return (now - before).item()

    def both(self, turns: int = 1) -> None:
        """Whole turns, each undivided: the attack, then D's answer."""
        for _ in range(turns):
            with self._lock:
                self.attack()
                self.learn()

    def _timed(self, move: Callable[[], T]) -> T:
        with self._lock:
            began = time.perf_counter()
            outcome = move()
            self.seconds += time.perf_counter() - began
        return outcome

    def record(self) -> Standing:
        """Judge the game and write it into the history; one turn leaves one entry, its latest."""
        with self._lock:
            stands = self.game.standing()
            if self._history and self._history[-1][0] == self.game.turn:
                self._history.pop()
            self._history.append((self.game.turn, *(getattr(stands, name) for name in RECORD)))
            if len(self._history) > HISTORY:
                self._history = [*self._history[:-1:2], self._history[-1]]
            return stands

    def picture(self, side: int = SIDE, arrows: int = ARROWS) -> Picture:
        """The game as it is drawn.

        Args:
            side: of the grid.
            arrows: per side of the gradient field.
        """
        with self._lock:
            game = self.game
            with torch.no_grad():
                f = game.net(grid(side)).view(side, side)
            tails = grid(arrows)
            _, down = slope(game.energy, tails)
            last = len(self._trail) - 1
            sent = np.unique(np.linspace(0, last, min(last + 1, TRAIL)).round().astype(int))
            return Picture(
                turn=game.turn,
                updates=game.updates,
                axis=np.linspace(-BOX, BOX, side, dtype=np.float32),
                f=f.numpy(),
                arrows=tails.numpy(),
                heads=unit(-down).numpy(),
                data=game.x_data.numpy(),
                start=self._start.numpy(),
                moved=game.moved.numpy(),
                path=torch.stack([self._trail[k] for k in sent]).numpy(),
            )

    def view(self, side: int = SIDE, arrows: int = ARROWS) -> View:
        """The same, and how the game stands, which is written into the history."""
        with self._lock:
            stands, picture = self.record(), self.picture(side, arrows)
            return View(
                **{part.name: getattr(picture, part.name) for part in fields(picture)},
                history=np.array(self._history, dtype=np.float32),
                stands=stands,
                seconds=self.seconds,
            )


def play(studio: Studio | None, request: PlayRequest) -> Iterator[Step | dict[str, Any]]:
    """Play a preset.

    Args:
        studio: not needed; the plane is computed on the CPU.
    Yields:
        a step every 20 turns; at the end {preset, U, D_support, spurious, distance, steps, seconds}.
    """
    timed = request.seconds is not None
    turns = request.steps or (1_000_000 if timed else PLAY[request.preset].turns)
    ground = Playground(rules(request.preset, data=request.data, p0=request.p0), request.seed)
    while True:
        with one_core():
            ground.both()
        if ground.game.turn >= turns or (timed and ground.seconds >= request.seconds):
            break
        if ground.game.turn % 20 == 0:
            yield Step(ground.game.turn, turns, f"U {ground.game.standing().U:.4f}")
    yield {
        "preset": request.preset,
        **asdict(ground.game.standing()),
        "steps": ground.game.turn,
        "seconds": round(ground.seconds, 2),
    }
