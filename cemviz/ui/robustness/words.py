"""Words of the robustness tab: its story, the table of rates, and images before and after as HTML."""

import html
from collections.abc import Mapping
from typing import Any

from ...attacks import ATTACKS
from ...backend.attack.examples import Attacked, Example, amplified
from ...backend.attack.rates import COLUMNS, NORMS, SHIPPED, Rates, groups, within
from ...backend.store import Card, called
from ..nets import about
from ..numbers import minus
from ..views import sprite
from .plots import DASHES, Style

STORY = """**What to look for.** A **standard** net is right on almost every test image and wrong on almost every attacked one;
**adversarial training** keeps most of them. Read along a row: the strongest attack decides, and an accuracy that only FGSM
was asked about says little. Read down a column only *within* one threat model: a ball of another norm or radius is another
question."""

HOW = """**How to read it.** Each rate is a share of the same test images, ± one standard error of a share. **FGSM** is one full
step of ε, **PGD-20** twenty steps of ε/4 from a random start, both up the cross-entropy E(x, y) − E(x) (JEAT (2), (14); CEM
(8)); **Auto-PGD** climbs the same in 100 steps that it sizes itself (Croce & Hein 2020); the **energy attack** climbs E(x, y)
alone (JEAT (18)), which needs no wrong class to win, so it often fools a net less. The curve is PGD-20; an image lost at one
radius counts as lost beyond it, since the larger balls hold the same point. Before a net is attacked its gradients are checked:
what speaks against its numbers stands under the table."""

EFFECT = """### What an attack changes
**FGSM and PGD** climb E(x, y) − E(x): the label must become unlikely *relative to the other classes*, so E(x) may go either
way: on a standard net it rises far less than E(x, y), and with BatchNorm (`mnist-standard`) it even falls, so that the attacked
image looks likelier to the net than the image itself. **The energy attack** climbs E(x, y) alone: the label becomes unlikely
whether another class wins or not, and E(x) ends higher than under PGD. Compare ΔE(x) of the rows below, then image by image."""

DONE = "Models that were done are shown."
PRESS = "Press Measure: this takes minutes for several models."
CHOOSE = "Choose at least one model."

ORIGINS = {"shipped": f"shipped ({SHIPPED} images)", "here": "measured here"}

CARD = "card"
THREATS = {CARD: "as the card says"} | NORMS

NO_MODELS = "No classifier is stored yet. Train one: `python -m cemviz train mnist-standard`."


def attacks() -> dict[str, str]:
    """The attacks on offer, with their titles."""
    return {name: title for name, title in COLUMNS.items() if name in ATTACKS}


def pair(stored: dict[str, Any], data: str) -> list[str]:
    """The models to begin with: those of the data set's threat model that most of its classifiers have, so that all compare."""
    cards = [card for card in stored.values() if card.data == data]
    by_threat: dict[tuple[str, float], list[str]] = {}
    for card in cards:
        by_threat.setdefault((card.norm, card.radius), []).append(card.name)
    return max(by_threat.values(), key=len, default=[])


def table(rows: list[Rates], looks: dict[str, Style], cards: Mapping[str, Card] | None = None) -> str:
    """Models × attacks, grouped by threat model; the first column is the legend of the curve.

    Args:
        cards: of what is stored, for what stands behind the names.
    """
    cards = cards or {}
    names = [name for name in COLUMNS if any(name in row.rates for row in rows)]
    head = "".join(f'<th scope="col">{COLUMNS[name]}</th>' for name in names)
    body = ""
    for (norm, radius), members in groups(rows).items():
        threat = f"attacked within {within(norm, radius)}"
        body += f'<tr class="cem-group"><th scope="rowgroup" colspan="{len(names) + 1}">{threat}</th></tr>'
        for row in members:
            other = "" if row.own == (norm, radius) else f"<small>its own: {within(*row.own)}</small>"
            cells = "".join(f"<td>{_rate(row, name)}</td>" for name in names)
            card = cards.get(row.model)
            line, heading = ("", called(row.model)) if card is None else (about(card), card.heading)
            name = f'<span title="{html.escape(line)}">{html.escape(heading)}</span>'
            body += f'<tr><th scope="row">{_swatch(looks[row.model])} {name}{other}</th>{cells}</tr>'
    return _scrolled("Test images still classified right [%]", f'<th scope="col">model</th>{head}', body)


def caption(rows: list[Rates], data: str, device: str) -> str:
    """Caption of the rates: what they rest on, and whether they compare."""
    counts, seeds = sorted({row.count for row in rows}), sorted({row.seed for row in rows})
    source = "shipped numbers" if all(row.ready for row in rows) else f"measured here on {device}"
    names = [name for name in COLUMNS if name in ATTACKS and any(name in row.rates for row in rows)]
    steps = ", ".join(f"{COLUMNS[name]} {ATTACKS[name].steps}" for name in names)
    lines = [
        f"First {_join(counts)} images of the test split of {data}, seed {_join(seeds)}, ± one standard error; {source}."
        + (f" Steps: {steps}." if steps else "")
    ]
    if len(groups(rows)) > 1:
        threats = "; ".join(within(*key) for key in groups(rows))
        lines.append(
            f"**{len(groups(rows))} threat models stand here ({threats}).** An order between nets is claimed, and to be read, "
            "only within one of them."
        )
    if any(row.own != (row.norm, row.radius) for row in rows):
        lines.append("Some nets are attacked outside the threat model that their card names: it stands under their name.")
    lines += [f"**{row.model}**: {fault}." for row in rows for fault in row.faults]
    return "  \n".join(lines)


def effects(results: list[Attacked], chosen: str) -> str:
    """Every attack's mean changes on the images shown, in nats; the chosen attack's row is marked."""
    body = ""
    for result in results:
        joint, marginal, fooled = result.means()
        mark = ' class="cem-chosen"' if result.attack == chosen else ""
        changes = "".join(f"<td>{_nats(change, '+')}</td>" for change in (joint, marginal, joint - marginal))
        lost = f"{round(fooled * len(result.examples))} of {len(result.examples)}"
        climbs = ATTACKS[result.attack].climbs
        body += (
            f'<tr{mark}><th scope="row">{COLUMNS[result.attack]}{f"<small>climbs {climbs}</small>" if climbs else ""}</th>'
            f"{changes}<td>{lost}</td></tr>"
        )
    heads = ("attack", "ΔE(x, y)", "ΔE(x)", "Δ[E(x, y) − E(x)]", "fooled")
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    return _scrolled("Changes of the energies, mean over the images shown [nats]", head, body)


def grid(result: Attacked, factor: float) -> str:
    """A card an image: before, after, and their difference in grey, with both energies."""
    return f'<div class="cem-cards">{"".join(_card(example, factor) for example in result.examples)}</div>'


def reading(result: Attacked, factor: float, fits: bool) -> str:
    """Caption of the pictures, in a line or two."""
    clipped = "" if fits else f" At × {factor:g} the largest differences are clipped."
    return (
        f"{COLUMNS[result.attack]} within {within(result.norm, result.radius)}, on {result.origin}. "
        f"Difference × {factor:g}: grey is no change, brighter is more, darker is less.{clipped}"
    )


def _card(example: Example, factor: float) -> str:
    name = html.escape(example.name)
    before, after = example.before, example.after
    pictures = (
        (example.image, "before", f"{name} before the attack"),
        (example.attacked, "after", f"{name} after the attack"),
        (amplified(example.change, factor), f"change × {factor:g}", f"amplified change of {name}"),
    )
    trio = "".join(
        f'<figure><img src="{sprite(pixels[None, None])}" alt="{alt}"><figcaption>{text}</figcaption></figure>'
        for pixels, text, alt in pictures
    )
    fooled = after.predicted != example.name
    answer, then = html.escape(before.predicted), html.escape(after.predicted)
    verdict = f"{name}: seen as {answer}, then as <b>{then}</b>{': fooled' if fooled else ''}"
    rows = (
        ("E(x, y)", before.joint, after.joint),
        ("E(x)", before.marginal, after.marginal),
        ("E(x, y) − E(x)", before.joint - before.marginal, after.joint - after.marginal),
    )
    body = "".join(
        f'<tr><th scope="row">{text}</th><td>{_nats(a)}</td><td>{_nats(b)}</td><td>{_nats(b - a, "+")}</td></tr>'
        for text, a, b in rows
    )
    body += f'<tr><th scope="row">p(y | x)</th><td>{before.p:.2f}</td><td>{after.p:.2f}</td><td></td></tr>'
    head = "".join(f'<th scope="col">{text}</th>' for text in ("", "before", "after", "Δ"))
    return (
        f'<article class="cem-card{" cem-fooled" if fooled else ""}"><div class="cem-trio">{trio}</div><p>{verdict}</p>'
        f'<table class="cem-numbers"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></article>"
    )


def _scrolled(title: str, head: str, body: str) -> str:
    """A table that scrolls by itself where the page is narrow, with the keyboard too."""
    return (
        f'<div class="cem-scroll" tabindex="0" role="region" aria-label="{title}"><table class="cem-numbers cem-rates">'
        f"<caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _nats(energy: float, sign: str = "") -> str:
    return minus(f"{energy:{sign}.1f}")


def _rate(row: Rates, name: str) -> str:
    if name not in row.rates:
        return "–"
    share = row.rates[name]
    return f"{100 * share:.1f} <small>± {100 * row.error(share):.1f}</small>"


def _swatch(look: Style) -> str:
    shapes = {
        "circle": '<circle cx="15" cy="6" r="4"/>',
        "square": '<rect x="11.5" y="2.5" width="7" height="7"/>',
        "diamond": '<path d="M15 1l5 5-5 5-5-5z"/>',
        "triangle-up": '<path d="M15 1.5l4.5 8h-9z"/>',
    }
    paint = f"fill:var(--cem-{look.colour});stroke:var(--cem-{look.colour})"
    return (
        f'<svg class="cem-swatch" viewBox="0 0 30 12" aria-hidden="true" style="{paint}">'
        f'<line x1="0" y1="6" x2="30" y2="6" stroke-dasharray="{DASHES[look.dash]}"/>{shapes[look.symbol]}</svg>'
    )


def _join(values: list[int]) -> str:
    return " and ".join(map(str, values))
