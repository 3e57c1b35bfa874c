"""The state that a game is left in, and gone on from."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Seat:
    """A game's state, from which another goes on.

    Attributes:
        turn, updates, history: see `View`.
        weights, squares: of the net, and Adam's second moments, as vectors.
        data, start, moved: points, (m, 2); trail: the ways, (t, q, 2).
    """

    turn: int
    updates: int
    history: list[list[float]]
    weights: Tensor
    squares: Tensor
    data: Tensor
    start: Tensor
    moved: Tensor
    trail: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """Tensors to store, in half precision: a game goes on within 2 of 255 colours of its frame, its points within .002."""
        half = {name: getattr(self, name).half() for name in ("weights", "data", "start", "moved", "trail")}
        return half | {"squares": self.squares.bfloat16()}  # which reach below what a half holds
