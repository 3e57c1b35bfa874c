"""Named stories: settings that show something, used by the page, the command line, the links and the tests."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from ..training.game import Rules
from .kinds import KINDS
from .requests import LandscapeRequest, SampleRequest


@dataclass(frozen=True, slots=True)
class PlayPreset:
    """A game of the playground.

    Attributes:
        rules: its numbers.
        seed: of net and draws.
        turns: after which it is settled.
        story: what to look for.
    """

    title: str
    rules: Rules
    turns: int
    story: str
    seed: int = 0


MINIMAX = Rules(rule="minimax", step=0.3, shrink=0.94, inner=100, count=1024, lr=1e-3, width=32, gain=1.0)

WEAK = Rules(steps=5, step=0.05)
LANGEVIN = Rules(steps=40, step=0.02, lr=1e-3, gain=1.0, objective="likelihood", negatives="langevin")

PLAY: dict[str, PlayPreset] = {
    "maximin": PlayPreset(
        "Maximin, p₀ everywhere", Rules(), 400,
        "p₀ fills the box, so every false maximum of D is found and pushed down. D ends at ½ on the support of p_data.",
    ),
    "maximin-corner": PlayPreset(
        "Maximin, p₀ in a corner", Rules(p0="corner"), 400,
        "p₀ starts in one corner and never visits the rest: false maxima survive there, and nothing in training notices.",
    ),
    "minimax": PlayPreset(
        "Minimax, p₀ everywhere", MINIMAX, 45,
        "D converges first, then every kept point takes one step: p_T moves onto p_data, as a GAN's generator would.",
    ),
    "minimax-corner": PlayPreset(
        "Minimax, p₀ in a corner", replace(MINIMAX, p0="corner"), 45,
        "The corner's points reach p_data all the same, and D means nothing where neither of the two has been.",
    ),
    "rings": PlayPreset(
        "Two rings", Rules(data="rings", lr=4e-3), 800,
        "A support with holes: D has to stay low between the rings, where perturbed points keep passing through.",
    ),
    "too-weak": PlayPreset(
        "Attack too weak", WEAK, 400,
        "K·λ = .25: perturbed points hardly leave p₀, so D separates the two easily and keeps U far above −log 4.",
    ),
    "ebm": PlayPreset(
        "EBM objective: it diverges", replace(WEAK, objective="likelihood"), 70,
        "The attack of the story before, but the net raises E f(p_data) − E f(p_T) (2.2). There, 1 − D and D shrink the "
        "gradient as soon as the two are told apart (2.18); here nothing does: the gap grows ever faster, until the guard ends "
        "the game. With K 20 and λ .2 the points reach the data, both terms meet, and it stays finite. "
        "[Play it beside the same net whose points move by Langevin dynamics](?tab=playground&p.preset=ebm&"
        "p.beside=negatives:langevin): the noise alone keeps the gap closed.",
    ),
    "langevin": PlayPreset(
        "Maximum likelihood, Langevin", LANGEVIN, 400,
        "The same objective (2.2), but the points move by Langevin dynamics (2.3), which sample exp f: the gap closes when "
        "they match p_data. What is learned is the density, not the support alone: see E.",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SamplePreset:
    """A comparison of the sampling tab: one or two runs from the same seeds."""

    title: str
    runs: tuple[SampleRequest, ...]
    story: str


BINARY = SampleRequest("mnist-binary", **KINDS["binary"].usual)
UNLABELLED = SampleRequest("mnist-uat", **KINDS["encoder"].usual)

SAMPLE: dict[str, SamplePreset] = {
    "robust-standard": SamplePreset(
        "Robust beside standard",
        (SampleRequest("mnist-at"), SampleRequest("mnist-standard")),
        "One sampler, one set of starts, two classifiers. Adversarial training left a landscape that leads to digits; "
        "standard training left one that leads to high scores and no picture.",
    ),
    "rcs-ta": SamplePreset(
        "RCS beside TA",
        (SampleRequest("mnist-at", "rcs"), SampleRequest("mnist-at", "ta")),
        "RCS climbs f_y + logsumexp, TA climbs f_y - logsumexp. From hints of a digit both arrive, and both lower E(x), since "
        "the label's logit is most of log-sum-exp; RCS lowers it further, by half a nat. What TA's minus sign does shows where "
        "the label has far to go: [from uniform noise](?tab=sampling&s.story=noise) TA pushes E(x) up.",
    ),
    "cs-langevin": SamplePreset(
        "CS beside Langevin",
        (SampleRequest("mnist-at", "cs", start="gaussian"), SampleRequest("mnist-at", "langevin", start="gaussian")),
        "Starts that hint at no digit. CS is asked for a class, and every chain ends in it; Langevin takes whichever class is "
        "near, and ends lower in E(x), which is all that it descends.",
    ),
    "noise": SamplePreset(
        "From uniform noise: it fails",
        (
            SampleRequest("mnist-at", "rcs", start="uniform", radius=6.0),
            SampleRequest("mnist-at", "ta", start="uniform", radius=6.0),
        ),
        "Uniform noise lies more than twice as far from any digit as the ball reaches (β = 6). RCS stays at chance; TA grows "
        "confident all the same, and draws cross-hatch: high p(y | x), no digit.",
    ),
    "eta": SamplePreset(
        "Too much noise",
        (SampleRequest("mnist-at", noise=0.1), SampleRequest("mnist-at", "ta", noise=0.1)),
        "η is per pixel: .1 on 784 pixels is a random step of length 2.8, against a gradient step of .5. The chains are at the "
        "edge of the ball (β = 6) within ten steps, and grain stays on every picture.",
    ),
    "head": SamplePreset(
        "Another head: even standard training draws",
        (SampleRequest("mnist-at-flat"), SampleRequest("mnist-standard-flat")),
        "The same nets, but for a last layer that sees where things are instead of a mean over the picture. Now the digits "
        "survive even standard training, if rougher: a judge reads every one; without this head it misreads a third. What a "
        "classifier can draw hangs on its architecture as well as on its training.",
    ),
    "jeat-hero": SamplePreset(
        "From noise: trained against attacks, or not",
        (
            SampleRequest("mnist-jeat", "jeat17", start="uniform", steps=40),
            SampleRequest("mnist-standard-linf", "jeat17", start="uniform", steps=40),
        ),
        "One net, two trainings; one seed of uniform noise, one sampler, no ball. The standard net has low energies a few "
        "steps from any noise: its chains fall into them at once and are sure of the class, and a judge reads two of ten. "
        "JEAT's chains have a long way down, and end in the asked digits. After attacks alone, as "
        "[the next story](?tab=sampling&s.story=jeat-noise) shows, noise stays noise.",
    ),
    "jeat-noise": SamplePreset(
        "JEAT: from noise to digits",
        (
            SampleRequest("mnist-jeat", "jeat17", start="uniform", steps=40),
            SampleRequest("mnist-at-linf", "jeat17", start="uniform", steps=40),
        ),
        "Uniform noise, no hint of a digit, no ball around it. JEAT was trained to lower E(x, y) at attacked images and to "
        "raise E(x) where its own chains go: its landscape leads from noise to the asked digit in forty steps. Adversarial "
        "training alone, on the same net and with the same generator (17), has low energies near the noise itself: its chains "
        "end there, sure of the class, and what they show is noise.",
    ),
    "jeat-16-17": SamplePreset(
        "JEAT (16) beside (17)",
        (SampleRequest("mnist-at-linf", "jeat16"), SampleRequest("mnist-at-linf", "jeat17")),
        "(16) descends E(x, y) - E(x): it is content once the other classes have lost, whatever the picture is. (17) descends "
        "E(x, y) alone: the label's own logit must grow. Watch E(x): (17) takes it down by eight nats together with E(x, y); "
        "(16), whose starts have the label already, hardly moves it.",
    ),
    "jeat-fig-5": SamplePreset(
        "Noise-trained nets (JEAT Fig. 5)",
        (SampleRequest("mnist-standard-linf", "jeat16"), SampleRequest("mnist-noise-40", "jeat16")),
        "Standard training on clean images beside the same on images with Gaussian noise (σ .4): one net, one sampler. "
        "JEAT's point: noise flattens the landscape as attacks do. Here it does: at the same starts the label's energy is less "
        "than half as steep. Chains of (16) hardly leave these starts on either net, and whether they draw better is undecided "
        "([JEAT Fig. 5](?tab=results&r.table=jeat-fig-5)).",
    ),
    "maxent-pgd": SamplePreset(
        "Without labels: MaxEnt spreads, PGD collapses",
        (UNLABELLED, replace(UNLABELLED, sampler="pgd")),
        "An encoder trained without labels, one batch of starts that hint at no digit. MaxEnt pushes all members away from "
        "each other in feature space: strokes form, many of them digits of every class. PGD takes each away from its own start "
        "and towards the rest: they meet in one place on the sphere, and the pictures are strokes without a digit.",
    ),
    "simclr-uat": SamplePreset(
        "Without labels: SimCLR beside UAT",
        (replace(UNLABELLED, model="mnist-simclr"), UNLABELLED),
        "The same net and the same loss, without attacks in training and with them. Both batches spread alike on their "
        "spheres, and both hold some digits: SimCLR's keep blotches of their starts, UAT's become thinner strokes, and both "
        "judges give SimCLR's the higher IS ([CEM Table 2](?tab=results&r.table=cem-2)). What attacks in training buy here "
        "shows [under attack](?tab=robustness&r.models=mnist-simclr-probe,mnist-uat-probe,mnist-uat-a2s-probe): within L2 1.5 "
        "SimCLR's probe fails, UAT's hold.",
    ),
    "maxent-hints": SamplePreset(
        "Without labels, from class Gaussians",
        (replace(UNLABELLED, start="class-gaussian"), replace(UNLABELLED, sampler="pgd", start="class-gaussian")),
        "The same two samplers, but every start is a blurred hint of a digit, as in the paper's conditional rows. The encoder "
        "never hears of the class: most samples of MaxEnt stay the digit that they started as, while PGD leaves its "
        "start, digit and all.",
    ),
    "maxent-cifar10": SamplePreset(
        "Without labels, CIFAR-10: UAT beside SimCLR",
        (replace(UNLABELLED, model="cifar10-uat"), replace(UNLABELLED, model="cifar10-simclr")),
        "One batch of starts, moved by MaxEnt with Table 5's numbers. SimCLR takes the blurred starts for much the same thing, "
        "and a weave of speckle is enough to tell them apart. The encoder that was attacked in training hardly hears speckle: "
        "to spread, its batch has to become regions, edges and horizons, which both judges find nearer to photographs "
        "([CEM Table 2](?tab=results&r.table=cem-2)). α 7 is long for it, and its entropy swings. With α 1 and K 30 it rises, "
        "and the pictures stay nearer to their starts.",
    ),
    "binary": SamplePreset(
        "Data, or not: a net without labels draws",
        (BINARY,),
        "This net answers one question: is an image data, or was it moved by an attack? Ten steps up its log-odds lead from "
        "blots to digits of every class, no label asked: D begins below ½ and ends near the level that unseen digits have.",
    ),
    "binary-far": SamplePreset(
        "Beyond what training met",
        (replace(BINARY, steps=40),),
        "In training the attack went 7 or 8 steps. At step 10 the samples are digits; at step 40 the net is surer still that "
        "they are data (D near 1), and they are less so: speckle grows at the edges, a judge is sure of fewer. Local maxima "
        "that no attack found are not pushed down (thesis 2.4.2). Scrub back.",
    ),
    "cifar10": SamplePreset(
        "CIFAR-10",
        (SampleRequest("cifar10-at"), SampleRequest("cifar10-standard")),
        "Colour images, a ResNet-18 of width 24: the robust net turns blurred starts into shapes and colours of the class, "
        "which judges read in most of them; the other net's samples they read less often, and those are rougher. The paper's "
        "ResNet-50 is 15 times larger and was trained 350 epochs.",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LandscapePreset:
    """A comparison of the landscape tab: one image, several models."""

    title: str
    request: LandscapeRequest
    story: str


LANDSCAPE: dict[str, LandscapePreset] = {
    "jeat-hero": LandscapePreset(
        "Trained against attacks, or not",
        LandscapeRequest(("mnist-jeat", "mnist-standard-linf"), "grid:4", directions="adversarial"),
        "The pair of the tour: one net, two trainings, the same image, along the way that an attack goes. Click anywhere and "
        "let a ball roll in both.",
    ),
    "standard-robust": LandscapePreset(
        "Adversarial beside standard",
        LandscapeRequest(("mnist-at", "mnist-standard"), "grid:4", directions="adversarial"),
        "The same image, two nets trained on the same set, along the way that an attack goes.",
    ),
    "jeat-fig-2": LandscapePreset(
        "JEAT Fig. 2: standard, AT, PreJEAT, JEAT",
        LandscapeRequest(("mnist-standard-linf", "mnist-at-linf", "mnist-prejeat", "mnist-jeat"), "grid:4"),
        "One net, four ways to train it. The paper's claim: from left to right the window flattens and its lowest point comes "
        "nearer to the image. The table under the panels says whether it does here, over all precomputed images.",
    ),
    "pairs": LandscapePreset(
        "Pairs: SimCLR beside UAT",
        LandscapeRequest(("mnist-simclr", "mnist-uat"), "gallery:4"),
        "Two encoders trained without labels, the second one under attack. E(x, x′) around an image that is its own anchor: "
        "attacks in training leave the window flatter.",
    ),
}

Preset = TypeVar("Preset", SamplePreset, LandscapePreset)


def models(preset: SamplePreset | LandscapePreset) -> tuple[str, ...]:
    """The stored models that a story needs."""
    return preset.request.models if isinstance(preset, LandscapePreset) else tuple(run.model for run in preset.runs)


def playable(table: dict[str, Preset], stored: Iterable[str]) -> dict[str, Preset]:
    """The stories of a table whose models are all stored; the others stay out of the menus."""
    present = set(stored)
    return {key: preset for key, preset in table.items() if present.issuperset(models(preset))}


def lacking(table: dict[str, Preset], stored: Iterable[str]) -> list[str]:
    """A sentence for each of the other stories: which models it waits for, and how to get them."""
    present = set(stored)
    missing = {
        preset.title: [name for name in dict.fromkeys(models(preset)) if name not in present] for preset in table.values()
    }
    return [
        f"The story {title!r} waits for {', '.join(names)}: train with `python -m cemviz train {names[0]}`."
        for title, names in missing.items()
        if names
    ]
