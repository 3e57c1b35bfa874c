"""What the sampling tab says: explanations, the names of curves, and the outcome of runs, for the player and in words."""

from collections import Counter

import numpy as np

from ..backend.sampling import Chains, reach
from ..backend.studio import Studio
from ..samplers import SAMPLERS
from .numbers import minus
from .views import Panel, player_payload

NOTHING = "There is no model here yet. Train one, for example with `python -m cemviz train mnist-at`, and reload the page."

OWN = "A comparison of your own: models of one data set begin at the same starts and meet the same noise."

DISTANCE = ("distance to x₀", "L2, pixel units")

AXES: dict[str, tuple[str, str]] = {
    "joint": ("E(x, y)", "nats, lower is likelier"),
    "marginal": ("E(x)", "nats, lower is likelier"),
    "log_p": ("log p(y | x)", "nats, at most 0"),
    "distance": DISTANCE,
    "label_slope": ("|∇ f_y|", "length of the label's gradient"),
    "lse_slope": ("|∇ logsumexp|", "length of the other gradient"),
    "angle": ("angle between the two", "degrees"),
}

CROWD_AXES: dict[str, tuple[str, str]] = {
    "crowding": ("crowding", "log Σ exp f(x, xⱼ), nats"),
    "entropy": ("entropy estimate", "nats, one for the batch"),
    "similarity": ("similarity to the others", "mean cosine"),
    "own": ("similarity to own start", "cosine"),
    "distance": DISTANCE,
    "slope": ("|∇|", "length of the sampler's gradient"),
}
"""Of an encoder: series of `crowd.Crowd.row` -> name and unit."""

SHARED = ("entropy",)
"""Series that hold one number for the whole batch."""

HOW = """**How to read it.** Each tile is one chain; select one, and step through it. The curves show the selected chain thick,
the others thin. A chain climbs a multiple of two gradients, ∇f_y and ∇logsumexp f = −∇E(x): **TA** takes f_y −
logsumexp, **CS** f_y alone, **RCS** f_y + logsumexp, **Langevin** logsumexp alone. *Our reading* of CEM's protocol:
the gradient is L2-normalised per sample, the noise lies inside the projection, the ball is around x₀, then pixels are
clamped to [0, 1]; the last iterate is shown. Lengths for MNIST are *our choice* (α .5: CEM's 1 scaled by the size of
the box; β 6 kept).

**Encoders** are trained without labels: their f(x, x′) = g(x)ᵀg(x′) says how alike two images are, and a batch is one system.
**MaxEnt** (24) and **PGD** (20) descend in the same batch from the same starts. In MaxEnt everyone leaves everyone, so that
the batch spreads; in PGD everyone leaves its own start and seeks the rest, so that the batch collapses. **Langevin** (19) seeks
real images, and needs some at hand. The map is the shadow of the sphere that features lie on: the two directions that a run
varies most along, fixed over its steps, so that each run has axes of its own. α .7 and K 30 for MNIST are *our choice* beside
Table 5's α 7, β ∞, η 0, K 10; the batch form of PGD is *our reading*. Labels enter nowhere: where a linear probe is stored, it
says in the end what it takes a sample for."""


def payload(runs: list[Chains]) -> str:
    """What the player plays."""
    named: dict[str, str] = {}
    for chains in runs:
        named |= dict(_axes(chains).values())
    dyn = runs[0].dynamics
    return player_payload(
        [_panel(chains) for chains in runs],
        charts=list(named),
        axis=named,
        limits={DISTANCE[0]: (dyn.radius, f"β = {dyn.radius:g}")},
        seed=int(runs[0].request.seed),
    )


def _axes(chains: Chains) -> dict[str, tuple[str, str]]:
    return CROWD_AXES if chains.card.kind == "encoder" else AXES


def _panel(chains: Chains) -> Panel:
    names, axes = chains.card.classes, _axes(chains)
    final = None
    if chains.predicted is not None:
        said = "" if chains.judge is None else "probe: "
        final = [f"{said}{names[y]} ({p:.2f})" for y, p in zip(chains.predicted, chains.confidence, strict=True)]
    return Panel(
        title=f"{chains.card.name}, {chains.request.sampler.upper()}",
        frames=chains.pixels,
        series={axes[key][0]: values[:, 0] if key in SHARED else values for key, values in chains.series.items()},
        labels=_labels(chains),
        final=final,
        plane=chains.plane,
        landmarks={} if chains.landmarks is None else dict(zip(names, chains.landmarks, strict=True)),
    )


def _labels(chains: Chains) -> list[str]:
    names = chains.card.classes
    if chains.card.kind == "encoder":
        return [f"start: {names[y]}" if chains.hinted else "no class asked" for y in chains.asked]
    conditional = SAMPLERS[chains.request.sampler].conditional
    return [f"asked: {names[y]}" if conditional else "no class asked" for y in chains.asked]


def summary(studio: Studio, runs: list[Chains]) -> str:
    """The outcome in a sentence a run: what was asked, what came, how far the starts lay."""
    lines = [
        f"**{letter}** {_of_batch(chains) if chains.card.kind == 'encoder' else _of_labels(chains)}"
        for letter, chains in zip("AB", runs, strict=False)
    ]
    found = reach(studio, runs[0])
    if found is not None:
        distance, of = found
        beyond = " **That is farther than β: the ball holds no such image.**" if distance > runs[0].dynamics.radius else ""
        lines.append(f"The starts lie {distance:.1f} from the nearest {of} (median).{beyond}")
    return minus("  \n".join(lines))


def _of_labels(chains: Chains) -> str:
    sampler = SAMPLERS[chains.request.sampler]
    climbs = "climbs {:+g}·f_y {:+g}·logsumexp".format(*sampler.climbs) if sampler.climbs else sampler.title
    right = float((chains.predicted == chains.asked).mean())
    asked = f"{right:.0%} end in the asked class" if sampler.conditional else "no class asked"
    return f"{climbs} ({sampler.source}): {asked}, mean confidence {np.mean(chains.confidence):.2f}, {_moved(chains)}."


def _of_batch(chains: Chains) -> str:
    first, last = ({k: float(v[i].mean()) for k, v in chains.series.items()} for i in (0, -1))
    sampler, names = SAMPLERS[chains.request.sampler], chains.card.classes
    hinted = sorted(set(chains.asked.tolist()))
    of = f"all {len(names)} classes" if len(hinted) == len(names) else ", ".join(names[y] for y in hinted)
    hint = f"starts hint at {of}" if chains.hinted else "no class asked"
    told = (
        f"{chains.request.sampler.upper()} ({sampler.source}): entropy estimate {first['entropy']:.2f} → {last['entropy']:.2f} "
        f"nats, mean pairwise similarity {first['similarity']:.2f} → {last['similarity']:.2f}, {_moved(chains)}. "
        f"No label was used; {hint}. "
    )
    if chains.judge is None:
        return told + "No linear probe of this encoder is stored, so nothing says what the samples show."
    counts = Counter(chains.predicted.tolist())
    each = ", ".join(f"{names[y]} ×{counts[y]}" for y in sorted(counts))
    kept = f"; {(chains.predicted == chains.asked).mean():.0%} for what their start hints at" if chains.hinted else ""
    return told + f"Its linear probe takes the samples for {len(counts)} of {len(names)} classes: {each}{kept}."


def _moved(chains: Chains) -> str:
    moved, radius = chains.series["distance"][-1].mean(), chains.dynamics.radius
    ball = f" of β = {radius:g}" if np.isfinite(radius) else " without a ball"
    return f"moved {moved:.1f}{ball}, {chains.seconds:.1f} s"
