"""Records of an encoder's chains: how crowded the batch is, how alike its members are, and where their features lie.

A batch is one system: every member is a reference of the others.  Labels never enter; where a linear probe of the encoder is
stored, it says in the end what it takes each sample for.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...dynamics import State, length
from ...energies import Energy, crowding
from ...samplers import SAMPLERS, Sampler, Scores
from .. import store
from ..store import Card
from .split import judged

if TYPE_CHECKING:
    from ..studio import Studio
    from .chains import Chains

SERIES: dict[str, tuple[str, str]] = {
    "crowding": ("crowding", "log Σ exp f(x, xⱼ), nats"),
    "entropy": ("entropy estimate", "nats, one for the batch"),
    "similarity": ("similarity to the others", "mean cosine"),
    "own": ("similarity to own start", "cosine"),
    "distance": ("distance to x₀", "L2, pixel units"),
    "slope": ("|∇|", "length of the sampler's gradient"),
}
"""Names and units of `Crowd.row`."""

REFERENCES = 256
"""Real images that Langevin dynamics against data (19) takes for negatives."""


@dataclass(slots=True)
class Crowd:
    """A sampler's energy on an encoder that keeps the features of each step's single forward pass.

    Attributes:
        features: x -> g(x), the encoder or its trunk.
        refs: reference images, where the sampler needs some.
        z: of the last evaluation, (B, M).
        path: unit features of every recorded step.
    """

    features: Scores
    sampler: Sampler
    x0: Tensor
    refs: Tensor | None = None
    z: Tensor = field(init=False)
    path: list[Tensor] = field(init=False, default_factory=list)
    _energy: Energy = field(init=False)

    def __post_init__(self) -> None:
        self._energy = self.sampler.energy_on(self._watched, self.x0, refs=self.refs)

    def __call__(self, x: Tensor) -> Tensor:
        return self._energy(x)

    @property
    def bare(self) -> Energy:
        """The energy alone."""
        return self.sampler.energy_on(self.features, self.x0, refs=self.refs)

    def _watched(self, x: Tensor) -> Tensor:
        z = self.features(x)
        self.z = z.detach()
        return z

    def row(self, state: State) -> dict[str, Tensor]:
        """The numbers of a step, each (B,): crowding is log sum_j exp f(x_i, x_j), similarity the mean cosine to the others,
        own that to the chain's own start, entropy the estimate of CEM (23) without log Z, one number for the whole batch."""
        crowd, v = crowding(self.z), F.normalize(self.z, dim=1)
        self.path.append(v)
        others = max(len(v) - 1, 1)
        return {
            "crowding": crowd,
            "entropy": (math.log(len(v)) - crowd.mean()).expand(len(v)),
            "similarity": (v @ v.sum(0) - 1) / others,
            "own": (v * self.path[0]).sum(1),
            "distance": length(state.x - self.x0),
            "slope": length(state.grad),
        }

    def plane(self, landmarks: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The features of every step, and of some landmark images, on the two directions that the run varies most along.

        Args:
            landmarks: images, (L, C, H, W), or None.
        Returns:
            (K + 1, B, 2) and (L, 2) or None; within the unit disc, the shadow of the sphere.
        """
        path = torch.stack(self.path)
        flat = path.flatten(0, 1)
        marks = None
        if landmarks is not None:
            with torch.no_grad():
                marks = F.normalize(self.features(landmarks), dim=1)
            flat = torch.cat([flat, marks])
        _, _, axes = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)
        axes = F.pad(axes, (0, 0, 0, 2))[:2].T  # a single feature, or a single image, has one direction
        axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()  # else their signs are the library's whim
        return path @ axes, None if marks is None else marks @ axes

    def outcome(self, studio: "Studio", card: Card, x: Tensor) -> dict[str, Any]:
        """Where the batch lies in feature space and, where a linear probe is stored, what it takes the last images for."""
        gaussians = studio.source(card).gaussians
        means = None if gaussians is None else gaussians.means[:-1].view(-1, *card.shape)
        plane, marks = self.plane(means)
        arrays = {"plane": plane.cpu().numpy(), "landmarks": None if marks is None else marks.cpu().numpy()}
        probe = probe_of(card)
        if probe is None:
            return arrays
        with torch.no_grad():
            return arrays | {"judge": probe} | judged(studio.model(probe)[0](x))


def begin(net: nn.Module, sampler: Sampler, labels: Tensor, x0: Tensor, refs: Tensor | None, features: str) -> Crowd:
    """The record of a run on an encoder."""
    return Crowd(net if features == "projection" else net.of_trunk, sampler, x0, refs)


def probe_of(card: Card) -> str | None:
    """Name of a stored linear probe that reads this encoder, or None; of several, the one that is called after it first."""
    reads = [c.name for c in store.cards().values() if c.role == "probe" and c.recipe_args.get("encoder") == card.name]
    return min(reads, key=lambda name: (name != f"{card.name}-probe", name), default=None)


def hints(chains: "Chains") -> list[str]:
    """Words on the class that each start hints at."""
    names = chains.card.classes
    return [f"start: {names[y]}" if chains.hinted else "no class asked" for y in chains.labels]


def summary(chains: "Chains") -> str:
    """How the batch spread, and what its probe takes the samples for."""
    first, last = ({k: float(v[i].mean()) for k, v in chains.series.items()} for i in (0, -1))
    sampler, names = SAMPLERS[chains.request.sampler], chains.card.classes
    hinted = sorted(set(chains.labels.tolist()))
    classes = f"all {len(names)} classes" if len(hinted) == len(names) else ", ".join(names[y] for y in hinted)
    hint = f"starts hint at {classes}" if chains.hinted else "no class asked"
    spread = (
        f"{chains.request.sampler.upper()} ({sampler.source}): entropy estimate {first['entropy']:.2f} → {last['entropy']:.2f} "
        f"nats, mean pairwise similarity {first['similarity']:.2f} → {last['similarity']:.2f}, {chains.travel}. "
        f"No label was used; {hint}. "
    )
    if chains.judge is None:
        return spread + "No linear probe of this encoder is stored, so nothing says what the samples show."
    counts = Counter(chains.predicted.tolist())
    each = ", ".join(f"{names[y]} ×{counts[y]}" for y in sorted(counts))
    agreed = f"; {(chains.predicted == chains.labels).mean():.0%} for what their start hints at" if chains.hinted else ""
    return spread + f"Its linear probe takes the samples for {len(counts)} of {len(names)} classes: {each}{agreed}."
