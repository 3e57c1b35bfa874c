"""A net under attack that keeps the points at which it was fooled on the way, whatever an attack makes of them."""

import torch
from torch import Tensor

from ..dynamics import Dynamics, length, per_sample
from ..inputs import Scores

ROUNDING = 1e-6  # by which a point may lie beyond the radius, as a share of it


class Watched:
    """Scores of a net, of which the first misclassified point within the ball is kept for each image.

    An attack ends where its own loss is lowest, and that need not be where the label loses: the published AutoAttack counts
    any point on the way.

    Attributes:
        x: clean images, and in their place the points that fooled the net, (B, C, H, W).
        fooled: whether it was, (B,) bool.
    """

    def __init__(self, net: Scores, x: Tensor, y: Tensor, dyn: Dynamics) -> None:
        """Watch a net that is asked about these images, at points of the ball of `dyn` around them."""
        self.__wrapped__ = net  # for who looks for the net itself, by inspect.unwrap
        self.clean, self.x, self.y, self.dyn = x, x.clone(), y, dyn
        self.fooled = torch.zeros_like(y, dtype=torch.bool)

    def __call__(self, x: Tensor) -> Tensor:
        """Scores as the net gives them, (B, C, H, W) -> (B, classes); a part of the batch is not looked at."""
        f = self.__wrapped__(x)
        if len(x) == len(self.y):
            with torch.no_grad():
                inside = length(x - self.clean, self.dyn.norm) <= self.dyn.radius * (1 + ROUNDING)
                new = inside & (f.argmax(1) != self.y) & ~self.fooled
                self.x = torch.where(per_sample(new, x), x, self.x)
                self.fooled |= new
        return f

    def worst(self, attacked: Tensor) -> Tensor:
        """The points that fooled the net, and where there are none the end of the attack, (B, C, H, W)."""
        return torch.where(per_sample(self.fooled, attacked), self.x, attacked)
