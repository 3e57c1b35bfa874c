"""Words of the sampling tab: explanations, the names of curves, and the outcome of runs, for the player and in words."""

from ...backend import kinds
from ...backend.sample.chains import Chains, reach
from ...backend.studio import Studio
from ..nets import about
from ..numbers import minus
from ..views import Panel, player_payload

NOTHING = "There is no model here yet. Train one, for example with `python -m cemviz train mnist-at`, and reload the page."

OWN = "A comparison of your own: models of one data set begin at the same starts and meet the same noise."

DISTANCE = "distance to x₀"
"""The curve that β limits."""

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
says in the end what it takes a sample for.

**Binary nets** know no labels either: f is the log-odds of data against images of p₀ that an attack has moved, and **ascent**
(2.8) goes up f, which is down E = −f. At the solution of their game D = σ(f) is ½ on data and nowhere above. A judge, which is
another net, says what a sample shows. K 10 of length 1 for MNIST is *our choice* beside Table 2.4's 32 of .2."""


def payload(runs: list[Chains], number: int = 0) -> str:
    """Payload that the player plays.

    Args:
        number: of the run: the same picture drawn anew is drawn anew.
    """
    named: dict[str, str] = {}
    for chains in runs:
        named |= dict(kinds.kind_of(chains.card).series.values())
    dyn = runs[0].dynamics
    return player_payload(
        [_panel(chains) for chains in runs],
        charts=list(named),
        axis=named,
        limits={DISTANCE: (dyn.radius, f"β = {dyn.radius:g}")},
        seed=int(runs[0].request.seed),
        autoplay=True,
        number=number,
    )


def _panel(chains: Chains) -> Panel:
    names, kind = chains.card.classes, kinds.kind_of(chains.card)
    final = None
    if chains.predicted is not None:
        reader = "" if chains.judge is None else f"{chains.judge}: "
        final = [f"{reader}{names[y]} ({p:.2f})" for y, p in zip(chains.predicted, chains.confidence, strict=True)]
    return Panel(
        title=f"{chains.card.heading}, by {chains.request.sampler.upper()}",
        about=about(chains.card),
        frames=chains.pixels,
        series={kind.series[key][0]: values[:, 0] if key in kind.whole else values for key, values in chains.series.items()},
        labels=kind.hints(chains),
        final=final,
        plane=chains.plane,
        landmarks={} if chains.landmarks is None else dict(zip(names, chains.landmarks, strict=True)),
    )


def summary(studio: Studio, runs: list[Chains]) -> str:
    """The outcome in a sentence a run: what was asked, what came, how far the starts lay."""
    lines = [f"**{letter}** {kinds.kind_of(chains.card).summary(chains)}" for letter, chains in zip("AB", runs, strict=False)]
    near = reach(studio, runs[0])
    if near is not None:
        distance, noun = near
        beyond = " **That is farther than β: the ball holds no such image.**" if distance > runs[0].dynamics.radius else ""
        lines.append(f"The starts lie {distance:.1f} from the nearest {noun} (median).{beyond}")
    return minus("  \n".join(lines))
