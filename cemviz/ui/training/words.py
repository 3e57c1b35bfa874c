"""The training tab's words: what a recipe does, how a run stands, and the numbers at the update looked at."""

from collections.abc import Sequence
from html import escape
from typing import Any

from ...backend.requests import NORMS
from ...backend.train.live import Update
from ...backend.train.pair import PAIRS, name_of
from ...backend.train.runs import read_history
from ...training.recipe import Recipe
from ..numbers import minus
from .plots import ShownRun, both

STORY = """Training is where the landscape is made. **An attack lifts an image's energy, the next update lowers it again:**
watch both happen, update by update, in any system of the papers. The curves are of models that were trained so; begin a
run of your own, or put two side by side."""

HOW = """**How to read it.** E(x, y) = −f_y and E(x) = −logsumexp f are energies in nats, lower is likelier, JEAT (12). Every
few updates a *probe* looks at 64 images of the batch before and after the update, and at 100 images that training does not
see; it draws from a generator of its own and leaves no trace in the run. Click a curve, or move the slider, to choose
the probe that all figures mark. **Pause** keeps everything: a resumed run ends with the same weights as one that was never
paused. A guard stops a run that diverges (a term beyond 1,000, or NaN) and keeps its last good state. Logits have no common
zero: between two runs compare shapes and changes, not levels. **Encoders** learn without labels: another view x′ of the image
stands where the label stood, E(x, x′) = −g(x)·g(x′), CEM (4), and *accuracy* is that of the nearest of 1,000 labelled images in
feature space, which training never sees. **Binary nets** tell data from images of p₀ that an attack has moved: E(x) = −f(x),
log(1 − D) is what the attack lowers, and *accuracy* is the chance that an unseen image of the data scores above one of p₀
(AUC), before and after the attack. Nets and schedules are *our choice* where a row says so."""

HEADS = {
    "jeat17": {"mnist-at": 20, "mnist-standard": 17, "mnist-at-linf": 20, "mnist-standard-linf": 5},
    "cs": {"mnist-at-flat": 20, "mnist-standard-flat": 18},
}
"""Sampler -> model -> chains of 20 that mnist-judge reads as asked, from the starts of the frames: held by a test."""


def learned() -> str:
    """Words on the frames: how they are drawn, and what they show of the pair that the tab opens with."""
    ends = {}
    for recipe, name in zip(PAIRS["mnist"], map(name_of, PAIRS["mnist"]), strict=True):
        history = read_history(name)
        if history is None:
            return FRAMES
        ends[recipe] = history["frames"]["shots"][-1]["read"]
    (_, at), (_, standard) = ends.items()
    raw, unit = HEADS["jeat17"], HEADS["cs"]
    return (
        f"{FRAMES} The pair that opens is one net, seed and order of images, 468 updates each (*our choice*); only A's images "
        f"are attacked. At the end another net, mnist-judge, reads **{at} of 20** of A's chains as asked "
        f"and **{standard} of 20** of B's. Both have a *flat* head, which sees where in the picture a feature lies. With a "
        f"head that averages over the picture the standard net draws too: {raw['mnist-at']} of 20 (mnist-at) and "
        f"{raw['mnist-standard']} (mnist-standard). And much of the difference is the raw gradient's: with steps of one "
        f"length, CS (14), it is {unit['mnist-at-flat']} and {unit['mnist-standard-flat']} (mnist-at-flat, "
        "mnist-standard-flat)."
    )


FRAMES = """**The pictures:** the same 20 chains, ten of them shown, drawn anew from the net as it stood after some of the
updates. They begin in a Gaussian of all images, which hints at no class, and roll down E(x, y) by JEAT (17) with α 1, η .01
and K 40."""

NOTHING = "No curves are here yet: start a run, and they appear while it goes."

OBJECTIVES = {
    "standard": "cross-entropy on images as they are",
    "noisy": "cross-entropy on noisy images",
    "adversarial": "cross-entropy on attacked images",
    "trades": "cross-entropy, and a divergence under attack (TRADES)",
    "consistent": "cross-entropy on attacked images, and a label logit that stays (AT+CR)",
    "jem": "cross-entropy, and E(x) of data against samples (JEM)",
    "jeat": "the same on energy-attacked images (JEAT)",
    "contrastive": "InfoNCE of two views, no label (SimCLR)",
    "a2a": "InfoNCE of two attacked views, no label (UAT, A2A)",
    "a2s": "InfoNCE of an attacked view among clean ones, no label (UAT, A2S)",
    "maximin": "data against p₀ that an attack has moved (binary adversarial training)",
    "in-out": "data against p₀, both attacked within balls (in- and out-distribution training)",
    "each-vs-rest": "each class against attacked images of the others, a net a class in turn",
}

TABLE_CSS = """
table, thead, tbody, tr { border: 0 !important }
table { width: 100%; border-collapse: collapse; font-size: 13px; line-height: 1.4; color: var(--cem-ink) }
th, td {
  text-align: left; vertical-align: top; padding: 4px 6px; font-weight: 400;
  border: 0 !important; border-bottom: 1px solid var(--cem-border) !important;
}
th { color: var(--cem-muted); white-space: nowrap }
caption { text-align: left; padding: 4px 6px; font-weight: 700; border-bottom: 1px solid var(--cem-border) }
thead th { font-weight: 700; white-space: normal }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
"""


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = (), caption: str = "") -> str:
    """Rows as HTML, the first cell of each as its header."""
    named = f"<caption>{escape(caption)}</caption>" if caption else ""
    top = "<thead><tr>" + "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head) + "</tr></thead>" if head else ""
    body = "".join(
        f'<tr><th scope="row">{subscripts(escape(row[0]))}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table>{named}{top}<tbody>{body}</tbody></table>"


def recipe(row: Recipe, scale: str) -> str:
    """A recipe's row as a small table with its source."""
    images = "all" if row.images is None else f"the first {row.images:,}"
    dyn = row.threat()
    attack = f"{row.attack}, {dyn.steps} × {dyn.step:.3g}, {NORMS[dyn.norm]} ≤ {dyn.radius:.3g}"
    if row.p0:
        attack = f"up f from p₀ ({row.p0}), at most {row.attack_steps} × {row.attack_step:.3g}, no ball"
    if not row.attack_steps:
        attack = "none"
    net = f"{row.net}, " + ", ".join(f"{k} {v}" for k, v in row.net_args.items())
    arguments = [(key, f"{value:g}" if isinstance(value, float) else str(value)) for key, value in row.objective_args.items()]
    rows = [
        ("descends", OBJECTIVES.get(row.objective, row.objective)),
        ("net", f"one linear layer on the frozen trunk of {row.encoder}" if row.encoder else net),
        ("updates", f"{row.steps:,} × {row.batch} images, of {images}"),
        ("rate", f"{row.lr:g}, {row.optimizer}, {row.schedule}"),
        ("attack", attack),
        *arguments,
        ("source", row.source),
    ]
    size = "wants an accelerator" if scale == "paper" else f"scale {scale}"
    return table(rows, caption=f"{row.title}: {size}")


def subscripts(title: str) -> str:
    """Words with the subscripts that Unicode lacks, as HTML."""
    return title.replace("Δₓ", "Δ<sub>x</sub>").replace("Δ_θ", "Δ<sub>θ</sub>")


def duration(seconds: float) -> str:
    """A time, rounded to what matters."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def standing(update: Update) -> str:
    """How a run stands, in a sentence."""
    where = f"update {update.step} of {update.steps}" if update.steps else "the start"
    if update.state == "waiting":
        return f"**{update.name} waits** at {where}: {update.waiting} before it."
    if update.state == "paused":
        why = f" {update.why}," if update.why else ""
        advice = "Everything is kept: *Resume* goes on to the same end." if update.step else "Nothing was done yet."
        return f"**{update.name} is paused**{why} at {where}. {advice}"
    if update.state == "done":
        return (
            f"**{update.name} is trained:** {update.steps} updates in {duration(update.seconds)}. It stands in the menus of "
            "the other tabs under this name."
        )
    unsaved = f" **Not saved:** {update.unsaved}." if update.unsaved else ""
    times = f"{duration(update.seconds)} so far, about {duration(update.left)} to go"
    return f"**{update.name}** trains: {where}, {times}.{unsaved}"


def diverged(message: str) -> str:
    """Message of the guard, and what to do."""
    return (
        f"**The guard stopped the run:** {message}. The last good state is kept: *Try again with half the step* goes on from "
        "it with half the learning rate and draws of its own."
    )


def numbers(runs: Sequence[ShownRun]) -> str:
    """Numbers of the probes looked at, a column a run."""
    probes = [run.probe for run in runs]
    if not any(probes):
        return ""

    def row(title: str, cell: Any) -> list[str]:
        return [title, *("–" if probe is None else cell(probe) for probe in probes)]

    def spread(key: str, energy: str) -> Any:
        return lambda p: minus(f"{p[key][energy][0]:+.3g} ± {p[key][energy][1]:.2g}")

    joint = " or ".join(dict.fromkeys(both(run.history)["joint"] for run in runs))
    rows = [
        row("update", lambda p: f"{p['step']:,}"),
        row("accuracy or AUC, clean and attacked", lambda p: f"{p['clean']:.0%}, {p['robust']:.0%}"),
        row(f"Δₓ {joint}", spread("delta_x", "joint")),
        row("Δₓ E(x)", spread("delta_x", "marginal")),
        row(f"Δ_θ {joint}", spread("delta_theta", "joint")),
        row("Δ_θ E(x)", spread("delta_theta", "marginal")),
        row("cosine", lambda p: minus(f"{p['cosine']:+.2f}")),
    ]
    return table(rows, ("at the update looked at", *(run.heading for run in runs)))
