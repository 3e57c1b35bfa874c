"""Binary adversarial training as a game in the plane: thesis Algorithm 1 (maximin) and Algorithm 2 (minimax).

Both play  U(D, p_T) = E_{p_data} log D + E_{p_T} log(1 - D),  D = sigmoid(f).  They differ in who moves first:

    maximin   D moves one step at a time; p_T always answers anew, from fresh draws of p0, with K steps of ascent on f.
              D ends at 1/2 on the support of p_data and at most 1/2 outside: a model of the support.
    minimax   p_T keeps its points; D converges, then every point moves one step.
              p_T ends at p_data, and D says nothing outside the two supports: a GAN without a generator net.

The thesis gives no numbers for its figures 2.1 and 2.2: net, sizes and steps are our choice.  Points move along grad f and not
grad D, which has the same direction but underflows where D is near 0 or 1.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from ..data.named import p0, p_data
from ..data.toys import BOX
from ..dynamics import Diverged, Dynamics, descend
from ..energies import binary
from ..metrics.game import Standing, standing, utility
from ..nets import build
from ..nets.mlp import slope

Rule = Literal["maximin", "minimax"]
Objective = Literal["logistic", "likelihood"]
Negatives = Literal["attack", "langevin"]

GUARD = 1000.0
"""|f| on the points in play from which on a game counts as diverged: at the solutions it is of order 1 to 30."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers of a game.

    Attributes:
        rule: who moves first.
        objective: what D raises: `logistic` is U, whose gradient terms are scaled by 1 - D and D (2.18); `likelihood` is
            E f on p_data - E f on p_T, whose terms are not scaled (2.2).
        negatives: how p0's points are moved: by the `attack` (2.8), or by `langevin` dynamics (2.3), of the raw gradient and
            noise, in which `step` is the thesis' lambda.
        data, p0: names of densities, see `data.named`.
        steps: K, moves of a point per attack; an attack of Algorithm 2 is a single step, whatever K.
        step: lambda, length of a move, in units of the plane.
        shrink: lambda's factor per attack of Algorithm 2, so that kept points settle instead of hopping about p_data.
        inner: updates of D per turn; "until converge" in Algorithm 2.
        count: m, points of either kind.
        lr: of Adam.
        width: of the three hidden layers.
        gain: factor of D's initial weights; above 1 it starts with many local maxima, which the game has to find.
    """

    rule: Rule = "maximin"
    data: str = "gaussian"
    p0: str = "uniform"
    steps: int = 20
    step: float = 0.2
    shrink: float = 0.97
    inner: int = 1
    count: int = 256
    lr: float = 2e-3
    width: int = 64
    gain: float = 2.25
    objective: Objective = "logistic"
    negatives: Negatives = "attack"

    def __post_init__(self) -> None:
        for name, kinds in (("rule", Rule), ("objective", Objective), ("negatives", Negatives)):
            if (value := getattr(self, name)) not in get_args(kinds):
                raise ValueError(f"{name} is {value!r}; choose {' or '.join(get_args(kinds))}")
        if self.inner < 1:
            raise ValueError(f"inner is {self.inner}; give at least 1 update of D per turn")

    def dynamics(self, turn: int) -> Dynamics:
        """The attack of a turn: unbounded, normalised ascent on f, or Langevin dynamics.  Source: thesis (2.8), (2.3)."""
        if self.negatives == "langevin":
            return Dynamics.langevin(self.steps, self.step / 2, bounds=(-BOX, BOX))
        if self.rule == "minimax":
            return Dynamics(1, self.step * self.shrink**turn, bounds=(-BOX, BOX))
        return Dynamics(self.steps, self.step, bounds=(-BOX, BOX))


@dataclass(frozen=True, slots=True)
class Plane:
    """E(x) = -f(x) of a game's net, with its gradient by hand."""

    net: nn.Sequential

    def __call__(self, x: Tensor) -> Tensor:
        return binary(self.net(x))

    def slope(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Energy and its gradient, see `dynamics.slope`."""
        f, grad = slope(self.net, x)
        return binary(f), -grad


class Game:
    """A game in progress.  `attack` and `learn` are the two players' moves, to be called in any order.

    Attributes:
        net: f, (n, 2) -> (n, 1); energy: -f, (n, 2) -> (n,).
        turn: number of attacks so far.
        updates: number of updates of D so far.
        x_data: the points of p_data that D was last shown, (m, 2).
        path: the last attack, (K + 1, m, 2); path[0] are draws of p0 (kept points in Algorithm 2), path[-1] is p_T.
    """

    def __init__(self, rules: Rules, seed: int = 0) -> None:
        self.rules = rules
        self.generator = torch.Generator().manual_seed(seed)
        self.net = build("mlp", seed=seed, width=rules.width, gain=rules.gain)
        self.energy = Plane(self.net)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=rules.lr, fused=True)
        self.turn = self.updates = 0
        self.x_data = p_data(rules.data).sample(rules.count, self.generator)
        self.path = p0(rules.p0).sample(rules.count, self.generator).clamp(-BOX, BOX)[None]

    @property
    def moved(self) -> Tensor:
        """p_T: the perturbed points, (m, 2)."""
        return self.path[-1]

    def attack(self) -> Tensor:
        """p_T's move: raise f from fresh draws of p0 by K steps (maximin), or from the kept points by one (minimax).

        Returns:
            the path, (K + 1, m, 2).
        Source: thesis Algorithm 1 step 3, Algorithm 2 step 4; (2.8).
        """
        rules = self.rules
        fresh = rules.rule == "maximin"
        x0 = p0(rules.p0).sample(rules.count, self.generator).clamp(-BOX, BOX) if fresh else self.moved
        states = descend(self.energy, x0, rules.dynamics(self.turn), generator=self.generator)
        self.path = torch.stack([state.x for state in states])
        self.turn += 1
        return self.path

    def learn(self) -> float:
        """D's move: `inner` updates that raise its objective against the present p_T.

        Algorithm 1 draws p_data anew for every update; Algorithm 2 keeps the points it drew.

        Returns:
            the objective at the last update.
        Raises:
            Diverged: f is not finite, or larger than GUARD, on the points in play.
        Source: thesis Algorithm 1 step 4, Algorithm 2 step 3; (2.11), (2.2).
        """
        rules = self.rules
        for _ in range(rules.inner):
            if rules.rule == "maximin":
                self.x_data = p_data(rules.data).sample(rules.count, self.generator)
            f = self.net(torch.cat([self.x_data, self.moved]))
            f_data, f_moved = f.split([len(self.x_data), len(self.moved)])
            if not (peak := f.detach().abs().max().item()) <= GUARD:  # `not <=` also finds NaN
                raise Diverged(
                    f"|f| is {peak:.0f} after {self.updates} updates of D, above {GUARD:.0f}; reset and lower lr ({rules.lr:g})"
                )
            payoff = utility(f_data, f_moved) if rules.objective == "logistic" else f_data.mean() - f_moved.mean()
            self.optimizer.zero_grad(set_to_none=True)
            (-payoff).backward()
            self.optimizer.step()
            self.updates += 1
        return payoff.item()

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Weights and Adam's second moments, each as one vector."""
        weights = list(self.net.parameters())
        squares = [self.optimizer.state[w].get("exp_avg_sq", torch.zeros_like(w)) for w in weights]
        return tuple(parameters_to_vector(part).detach() for part in (weights, squares))

    def resume(self, turn: int, updates: int, weights: Tensor, squares: Tensor, x_data: Tensor, moved: Tensor) -> None:
        """Go on from a state that was left: the draws that follow depend on seed and turn, and are no other game's.

        Args:
            weights, squares: from `vectors`.
        """
        self.turn, self.updates, self.x_data, self.path = turn, updates, x_data, moved[None]
        self.generator.manual_seed(self.generator.initial_seed() + turn)
        vector_to_parameters(weights, self.net.parameters())
        for weight, square in zip(
            self.net.parameters(), squares.split([w.numel() for w in self.net.parameters()]), strict=True
        ):
            self.optimizer.state[weight] = {
                "step": torch.tensor(float(updates)),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": square.view_as(weight).clone(),
            }

    def standing(self) -> Standing:
        """How the game stands: U on the points in play, the distance against draws of p_data that no move has seen."""
        unseen = torch.Generator().manual_seed(self.updates + 1)
        fresh = p_data(self.rules.data).sample(1000, unseen)
        return standing(self.net, self.rules.data, self.x_data, self.moved, fresh)
