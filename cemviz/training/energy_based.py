"""Objectives of labelled training that also descend the likelihood: JEM and JEAT, with the persistent chains they share.

Both minimise -log p(y | x) - log p(x).  The gradient of the second term needs samples of the model, x~, which chains on E(x)
supply; Algorithm 1 of JEAT writes the two parts

    grad L_{p(y|x')} = grad [ E(x', y) - E(x') ],      grad L_{p(x')} = grad [ E(x') - E(x~) ]

in which E(x') cancels, so that a step is grad [ E(x', y) - E(x~) ].  (JEAT (20) has a sign reversed; Algorithm 1 is right.)
JEM takes x' = x, JEAT the example that its energy attack found.
"""

import torch
from torch import Tensor, nn

from ..attacks import perturb
from ..draws import gathered, own_rows, rand, total
from ..dynamics import Dynamics, per_sample, settle
from ..energies import conditional, marginal, on
from .loop import Batch, check_weight, evaluating


class Replay:
    """Persistent chains on E(x): each batch of negatives goes on from where earlier batches left off.

    Attributes:
        chains: where every chain stands, (size, C, H, W); changed in place, part of a run's state.
        reinit: rho, the share of chains that begin anew from uniform noise.
        dyn: K, alpha and eta of the steps between two uses.
    Source: JEAT Algorithm 1; Grathwohl et al. 2020 (JEM), Algorithm 1.
    """

    def __init__(
        self, size: int, shape: tuple[int, ...], dyn: Dynamics, *, reinit: float = 0.05, generator: torch.Generator
    ) -> None:
        """Fill the buffer with uniform noise.

        Args:
            size: number of chains, at least that of a batch.
            shape: of an image, (C, H, W).
            generator: source of every draw; its device is that of the chains.
        Raises:
            ValueError: size below 1, or a share outside [0, 1].
        """
        if size < 1:
            raise ValueError(f"buffer (number of chains) is {size}; give at least 1")
        if not 0 <= reinit <= 1:
            raise ValueError(f"ρ (reinit) is {reinit}; give a share from 0 to 1")
        self.dyn, self.reinit, self.generator = dyn, reinit, generator
        self.chains = torch.rand(size, *shape, generator=generator, device=generator.device)

    def negatives(self, net: nn.Module, count: int) -> Tensor:
        """Take some chains, go K steps down E(x), put them back: (count, C, H, W).

        Raises:
            ValueError: more negatives than chains.
        """
        whole = total(count, self.generator)  # of a batch that several processes share: all keep the same chains
        if whole > len(self.chains):
            raise ValueError(f"batch is {whole}, but the buffer holds {len(self.chains)} chains; raise buffer or lower batch")
        draws = {"generator": self.generator, "device": self.chains.device}
        picks = torch.randperm(len(self.chains), **draws)[:whole]  # distinct, so that none is written twice
        old, fresh = self.chains[own_rows(picks, self.generator)], rand((count,), **draws) < self.reinit
        x0 = torch.where(per_sample(fresh, old), rand(old.shape, dtype=old.dtype, **draws), old)
        with evaluating(net):
            x = settle(on(net, marginal), x0, self.dyn, generator=self.generator)
        finite = torch.where(x.isfinite(), x, x0)  # a diverging run is stopped, and its buffer must outlive it
        self.chains[picks] = gathered(finite, self.generator)
        return x


class JointEnergy:
    """-log p(y | x') - log p(x'): JEM for x' = x, JEAT for the energy attack's x'.

    Attributes:
        replay: the chains that draw x~.
        dyn: of the energy attack, one signed step from a uniform start; None is JEM.
        calm: weight of E(x')^2 + E(x~)^2, which holds both near 0 where a run would drift away; the papers have none.
        tensors: what a run has to save beside its weights.
    Source: JEAT (19), Algorithm 1; where it leaves them open, the gradient is taken at x + delta, and x' is clamped to the box.
    """

    def __init__(
        self, replay: Replay, dyn: Dynamics | None = None, *, calm: float = 0.0, generator: torch.Generator | None = None
    ) -> None:
        check_weight("calm", calm)
        self.replay, self.dyn, self.calm, self.generator = replay, dyn, calm, generator
        self.tensors = {"chains": replay.chains}

    def __call__(self, net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        x, y = batch
        if self.dyn is not None:
            with evaluating(net):
                x = perturb("energy", net, x, y, self.dyn, check=False, generator=self.generator)
        sampled = self.replay.negatives(net, len(x))
        f = net(x)
        low, high = marginal(f), marginal(net(sampled))
        terms = {"cross-entropy": conditional(f, y).mean(), "energy gap": (low - high).mean()}
        return terms | {"energy size": self.calm * (low.square() + high.square()).mean()} if self.calm else terms
