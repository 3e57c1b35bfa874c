"""Probes of a run without labels while it goes: the same figures as `probes`, with a second view where the label was.

E(x, x') = -f(x, x') takes the place of E(x, y), and E(x) is estimated against clean views, CEM (19).  Labels serve the reader
alone: accuracy is that of the nearest labelled neighbour in feature space.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.views import View
from ..dynamics import Dynamics, settle
from ..energies import against, infonce, negated, on, pair
from ..starts import near
from .loop import Batch, evaluating
from .probes import DESCENT, SHOWN, halves, rounded, spread


@dataclass(frozen=True, slots=True)
class PairProbe:
    """Measures one update of an encoder.

    Attributes:
        dyn: of the attack on InfoNCE that finds the adversarial points.
        views: draws a view of each image.
        unseen: images that training does not see, and their labels.
        bank: labelled images among which neighbours are looked for.
        generator: source of views and starts, not the run's.
    Source: CEM (19) to (22); JEAT (15) for the changes of energy.
    """

    dyn: Dynamics
    views: View
    unseen: Batch
    bank: Batch
    generator: torch.Generator

    def __call__(self, net: nn.Module, batch: Batch) -> Callable[[nn.Module], dict[str, Any]]:
        """Look at the net before an update; the result looks at it afterwards and tells what `probes.Probe` tells.

        "joint" is E(x, x'), "marginal" E(x) up to a constant; a sampled point is paired with the reference nearest to it.
        """
        x, _ = batch
        v, other = self.views(x[:SHOWN], self.generator), self.views(x[:SHOWN], self.generator)
        with evaluating(net):
            v_adv = self._attacked(net, v, _features(net, other))
            before, lifted = _both(net, v, other), _both(net, v_adv, other)
            record: dict[str, Any] = gradients(net, v, v_adv, other)
            record["delta_x"] = {k: spread(lifted[k] - before[k]) for k in before}

        def finish(net: nn.Module) -> dict[str, Any]:
            with evaluating(net):
                after, clean = _both(net, v_adv, other), _both(net, v, other)
                record["delta_theta"] = {k: spread(after[k] - lifted[k]) for k in after}
                refs = _features(net, other)
                start = torch.rand(v.shape, generator=self.generator, device=v.device)
                z = _features(net, settle(on(net, against, refs), start, DESCENT))
                sampled = {"joint": -(z @ refs.T).amax(1), "marginal": against(z, refs)}
                points = {"data": clean, "adversarial": after, "sampled": sampled}
                record["energies"] = {name: {k: rounded(e) for k, e in both.items()} for name, both in points.items()}
                record["clean"], record["robust"] = self._rates(net)
            return record

        return finish

    def _attacked(self, net: nn.Module, x: Tensor, refs: Tensor) -> Tensor:
        start = near(x, self.dyn, generator=self.generator)
        return settle(on(net, negated(infonce), refs, refs), x, self.dyn, start=start)

    def _rates(self, net: nn.Module) -> tuple[float, float]:
        """Share of the held images whose nearest labelled neighbour is of their class: clean, and after an attack that drives
        each from its own clean features."""
        (x, y), (bank, labels) = self.unseen, self.bank
        references = F.normalize(_features(net, bank), dim=1)
        adversarial = self._attacked(net, x, _features(net, x))
        nearest = [(F.normalize(_features(net, at), dim=1) @ references.T).argmax(1) for at in (x, adversarial)]
        clean, robust = ((labels[at] == y).float().mean().item() for at in nearest)
        return round(clean, 4), round(robust, 4)


def gradients(net: nn.Module, v: Tensor, v_adv: Tensor, other: Tensor) -> dict[str, float]:
    """The two parts of the likelihood gradient of pairs over all weights, and how far they agree.

    consistency = grad E[ f(x, x') - f(x^, x') ],   contrastive = -grad InfoNCE(x^, x')

    Args:
        net: in eval mode.
        v, v_adv, other: view, attacked view and other view, (B, *D).
    Returns:
        {consistency, contrastive: L2 norms, cosine}.
    Source: CEM (21), (22), (32).
    """
    with torch.enable_grad():
        z, z_adv, refs = net(v), net(v_adv), net(other)
        return halves(net, (pair(z_adv, refs) - pair(z, refs)).mean(), -infonce(z_adv, refs, refs).mean())


def _features(net: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return net(x)


def _both(net: nn.Module, x: Tensor, other: Tensor) -> dict[str, Tensor]:
    z, refs = _features(net, x), _features(net, other)
    return {"joint": pair(z, refs), "marginal": against(z, refs)}
