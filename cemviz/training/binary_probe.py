"""Probes of a binary game while it goes: the same figures as `probes`, with data against p0 where the labels were.

"joint" is E(x) = -f(x), "marginal" log(1 - D(x)); attacks lower both on images of p0, and updates lift them again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..energies import binary
from ..metrics.detection import auc
from .binary import Maximin
from .loop import Batch, evaluating
from .probes import SHOWN, halves, rounded, spread


@dataclass(frozen=True, slots=True)
class BinaryProbe:
    """Measures one update of a game.

    Attributes:
        goal: the objective, which knows K and the attack.
        unseen: images of the data that training does not see, and their labels.
        generator: source of its own draws of p0.
    Source: thesis 2.4.2, (2.18).
    """

    goal: Maximin
    unseen: Batch
    generator: torch.Generator

    def __call__(self, net: nn.Module, batch: Batch) -> Callable[[nn.Module], dict[str, Any]]:
        """Look at the net before an update; the result looks at it afterwards.

        Returns:
            net -> what `probes.Probe` gives, of the attacked images of p0: clean and robust are the AUC of unseen data against
            p0 as it is and moved, consistency and contrastive the gradients of E f on data and on moved p0 as (2.18) scales
            them; and game: {K, travel: mean distance that the attack moves p0, D_data, D_moved: means of D}.
        """
        x, goal = batch[0][:SHOWN], self.goal
        x0 = goal.p0(SHOWN, self.generator)
        with evaluating(net):
            moved = goal.attacked(net, x0)
            before, lifted = _both(net, x0), _both(net, moved)
            record: dict[str, Any] = gradients(net, x, moved)
            record["delta_x"] = {k: spread(lifted[k] - before[k]) for k in before}
            record["game"] = {"K": goal.steps, "travel": _mean((moved - x0).flatten(1).norm(dim=1))}

        def finish(net: nn.Module) -> dict[str, Any]:
            with evaluating(net), torch.no_grad():
                after, data = _both(net, moved), _both(net, x)
                record["delta_theta"] = {k: spread(after[k] - lifted[k]) for k in after}
                points = {"data": data, "adversarial": after, "sampled": _both(net, goal.attacked(net, x0))}
                record["energies"] = {name: {k: rounded(e) for k, e in both.items()} for name, both in points.items()}
                inside, start, end = (net(at) for at in (self.unseen[0], x0, moved))
                record["clean"], record["robust"] = round(auc(inside, start), 4), round(auc(inside, end), 4)
                record["game"] |= {"D_data": _mean(net(x).sigmoid()), "D_moved": _mean(end.sigmoid())}
            return record

        return finish


def gradients(net: nn.Module, x: Tensor, moved: Tensor) -> dict[str, float]:
    """The two parts of the game's gradient over all weights, and how far they agree.

    grad U = E_{p_data}[ (1 - D) grad f ] - E_{p_T}[ D grad f ]

    Args:
        net: in eval mode.
        x, moved: images of the data, and of p0 after the attack, (B, *D).
    Returns:
        {consistency: norm of the first part, contrastive: of the second, cosine}.
    Source: thesis (2.18).
    """
    with torch.enable_grad():
        return halves(net, F.logsigmoid(net(x)).mean(), F.logsigmoid(-net(moved)).mean())


def _both(net: nn.Module, x: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        d = net(x).flatten()
    return {"joint": binary(d), "marginal": F.logsigmoid(-d)}


def _mean(values: Tensor) -> float:
    return round(values.mean().item(), 4)
