"""Words of the landscape tab: its story, its choices, and the numbers of panels and points."""

import html
import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from PIL import Image

from ...backend.kinds import KINDS
from ...backend.look.landscape import Panel, Point, Row
from ...backend.look.pictures import offered
from ...backend.look.roll import Roll
from ...backend.packed import short
from ...backend.requests import SELF, LandscapeRequest
from ...backend.store import Card
from ...backend.stored import assets
from ...backend.studio import Studio
from ..nets import about
from ..numbers import minus
from ..views import sprite

STORY = {
    "classifier": """**What to look for.** Every panel is one net's energy around the *same* image (★), on one colour scale.
Around a **standard** net's image the energy changes faster, and lower points lie beside the image, where a chain that descends
will go. **Adversarial training** flattens the window, and little in it lies lower than the image (JEAT, section 3.1). Random
directions are the paper's; along the *adversarial* one, the way an attack goes, the difference is largest.""",
    "encoder": """**What to look for.** Every panel is one encoder's energy of pairs: the anchor x′ is fixed, and x moves in a
plane around the *same* image (★), on one colour scale. The energy is low where the features are alike; no label is needed.
Without attacks in training (**SimCLR**) an image becomes unlike itself in fewer steps; with them (**UAT**) the window is
flatter. The *adversarial* direction is the way an attack goes; another anchor shows which way its likeness lies.""",
}
"""Story by kind of model."""

HOW = """**How to read it.** *Exact*: the stored net's logits at every grid point, E(x, y) = −f_y and E(x) = −logsumexp f;
precomputed windows are rounded to half precision. *Approximate*: a plane is a slice of a space of hundreds of dimensions; the
lowest point is the lowest of the grid and may lie beyond the window's edge; in a flat window its place means little, so read
its depth. Points are *not* clamped to [0, 1] for the energies, while the shown picture is. Levels of two classifiers have no
common zero, hence E − E(image).

**Encoders** know no labels. Theirs is E(x, x′) = −g(x)ᵀg(x′), the energy of a pair with an anchor image x′: the image itself,
or one that you choose. E(x) = −log Σₖ exp g(x)ᵀg(xₖ) is taken against the anchor and the gallery's images, which a model drew
(*our choice*: they ship), and p(x′ | x) is the anchor's share among them, as in InfoNCE (CEM (17)). g(x)ᵀg(x′) is a cosine
over τ, so no pair lies lower than −1/τ. Nothing of an encoder is precomputed.

**Binary nets** tell data from what an attack made of p₀. Theirs is E(x) = −f(x), the log-odds upside down, and log(1 − D),
which that attack lowers (thesis (2.13)): it flattens where f is far below 0, and has the same directions."""

NO_MODELS = "No model is stored yet. Train one: `python -m cemviz train mnist-standard`."

APART = "**{name}** is not shown: its energies share no scale with those of {net_a}, a net of another kind or data set."

ZOOM = 6  # screen pixels a pixel of the shown image

MADE = {"drawn:": "drawing", "upload:": "picture"}
"""Beginning of the name of a visitor's own picture -> what it is."""

OWN = "The image is your {words}."

BY_CONSTRUCTION = """This image was drawn by {model}, so it lies near that model's minimum **by construction**: it is no
evidence about real images."""


def title(panel: Panel, card: Card | None) -> str:
    """Heading of a panel: its subject, and behind it the line of its net."""
    return f'<b title="{html.escape(about(card) if card else panel.model)}">{html.escape(panel.title)}</b>'


def titled(table: Mapping[str, str]) -> list[tuple[str, str]]:
    """A table of titles as choices."""
    return [(title, key) for key, title in table.items()]


def anchors(data: str) -> list[tuple[str, str]]:
    """Images to offer for an anchor."""
    return [("the image itself", SELF), *((title.removesuffix(", precomputed"), key) for title, key in offered(data))]


def caption(panel: Panel, energy: str) -> str:
    """A panel's numbers in a line, which is also what a screen reader gets of it."""
    shape = panel.shapes[energy]
    view = KINDS[panel.kind].view
    digits = view.digits
    lowest = "The image is the lowest point"
    if shape.offset:
        lowest = f"Lowest point {shape.depth:.{digits}f} nats below the image, {shape.offset:.1f} away"
        if max(abs(shape.a), abs(shape.b)) >= 0.999 * panel.axis[-1]:
            lowest += " (at the edge: it may lie farther)"
    origin = ", precomputed" if panel.precomputed else ""
    return minus(
        f"{lowest}. Range {shape.range:.{digits}f} nats. {view.energies[energy]} of the image: "
        f"{panel.centre_energy(energy):.{digits}f}{origin}."
    )


def report(studio: Studio, request: LandscapeRequest, panels: list[Panel], energy: str) -> str:
    """Text under the panels: the mean over all precomputed images, since one is an anecdote; what a sample is."""
    cards = studio.cards()
    data = cards[request.models[0]].data
    if KINDS[panels[0].kind].view.paired:
        return _of_pairs(data, request, energy)
    source = next((OWN.format(words=noun) for origin, noun in MADE.items() if request.image.startswith(origin)), "")
    if request.label:
        return f"{source} y is {panels[0].name}, as asked, whatever the image is of.".strip()
    if source:
        return f"{source} y is {panels[0].name}: what a judge that is none of these nets takes it for."
    if request.image.startswith("gallery:"):
        return BY_CONSTRUCTION.format(model=assets.gallery(data).model)
    if not (request.image.startswith("grid:") and all(panel.precomputed for panel in panels)):
        return ""
    grids = assets.grids(data)
    means = {panel.model: grids.averages(cards[panel.model], request.directions, energy) for panel in panels}
    rows = "".join(
        f"\n| {name} | {mean['depth']:.1f} | {mean['offset']:.1f} | {mean['range']:.1f} |"
        for name, mean in means.items()
        if mean is not None
    )
    return (
        f"**Mean over all {len(grids.labels)} precomputed images**, {request.directions} directions: depth of the lowest point "
        "below the image [nats], its offset from the image [L2], range of the window [nats].\n\n"
        f"| model | depth | offset | range |\n|:--|--:|--:|--:|{rows}"
    )


def _of_pairs(data: str, request: LandscapeRequest, energy: str) -> str:
    gallery = assets.gallery(data)
    if request.label:
        return "Encoders know no classes: the class y has no say here. " + _of_pairs(data, replace(request, label=""), energy)
    if energy == "marginal":
        others = "" if gallery is None else f" and {len(gallery.labels)} images of the gallery, drawn by {gallery.model}"
        return f"E(x) is against the anchor{others}: low where x looks like any of them."
    if request.anchor == SELF:
        return (
            "The anchor is the image itself, so no point lies lower **by construction**. Compare how steeply E(x, x′) rises: "
            "where it is flat, small steps leave the features alone."
        )
    return "The anchor is another image: E(x, x′) falls towards what the encoder takes for alike."


def enlarged(spot: Point) -> Image.Image:
    """The image and the point side by side, every pixel a square."""
    image, pixels = (np.repeat(np.repeat(p, ZOOM, 0), ZOOM, 1) for p in (spot.image, spot.pixels))
    gap = np.full((image.shape[0], 2 * ZOOM, image.shape[2]), 128, np.uint8)
    joined = np.concatenate([image, gap, pixels], 1)
    return Image.fromarray(joined[..., 0] if joined.shape[2] == 1 else joined)


def spot(at: Point, row: Row, energy: str) -> str:
    """A point's numbers for one net, under its panel; nothing at the image itself, whose numbers the caption has."""
    if not at.distance:
        return ""
    view = KINDS[at.kind].view
    value, change = (row.joint, row.joint_change) if energy == "joint" else (row.marginal, row.marginal_change)
    reads = f", {view.likeliest} {html.escape(row.predicted)}" if row.predicted else ""
    numbers = f"{view.energies[energy]} {value:.2f} ({change:+.2f}), {view.share} {row.p:.3f}{reads}"
    still = " No ball rolls: the picture's pixels are not here; choose one that a model drew." if at.pixels is None else ""
    return minus(f"**a = {at.a:.2f}, b = {at.b:.2f}**: {numbers}.{still}")


def table(spot: Point) -> str:
    """A point as HTML: where it is, and a table of energies in nats with their change from the image."""
    where = f"<b>a = {minus(f'{spot.a:.2f}')}, b = {minus(f'{spot.b:.2f}')}</b>, {spot.distance:.2f} from the image. "
    if spot.pixels is None:
        where += (
            f"{spot.lacking} The values are those of the nearest grid point. To see pixels, choose an image that a model drew."
        )
    elif spot.distance:
        where += f"{spot.outside:.0%} of its values lie outside [0, 1]: clamped in the picture, not in the energies."
    else:
        where = "<b>a = 0, b = 0</b>: the image itself. Click into a panel to leave it."
    cells = [
        [
            row.model,
            minus(f"{row.joint:.2f} ({row.joint_change:+.2f})"),
            minus(f"{row.marginal:.2f} ({row.marginal_change:+.2f})"),
            f"{row.p:.3f}",
            html.escape(row.predicted or "needs pixels"),
        ]
        for row in spot.rows
    ]
    view = KINDS[spot.kind].view
    heads = ("model", *(f"{view.energies[energy]} (change)" for energy in ("joint", "marginal")), view.share, view.likeliest)
    body = "".join(
        f'<tr><th scope="row" style="padding-left:0">{name}</th>{"".join(f"<td>{v}</td>" for v in rest)}</tr>'
        for name, *rest in cells
    )
    head = "".join(f'<th scope="col" style="text-align:{"end" if i else "start"}">{text}</th>' for i, text in enumerate(heads))
    return (
        f'<p style="margin:0 0 8px;font-size:14px;line-height:1.5;color:var(--cem-ink)">{where}</p>'
        '<div style="overflow-x:auto"><table class="cem-numbers" style="border:0!important">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def film(rolls: Mapping[str, Roll], name: str, opens: str | None = None) -> str:
    """A ball's rolls as `roll.js` plays them, JSON.

    Args:
        name: of the energy that they descend.
        opens: address of the same chains under Sampling.
    """
    letters = dict(zip(rolls, "ABCD", strict=False))
    first = next(iter(rolls.values()))
    line = (
        f"The ball is the image that was clicked, clamped to [0, 1]. It rolls down {name} by {len(first.path) - 1} steps, "
        "without noise. It leaves the plane at once: in the panels lies its shadow."
    )
    titles = {model: [letters[model], roll.title, f"the ball in the landscape of {model}"] for model, roll in rolls.items()}
    sides = {model: {"sprite": sprite(roll.pixels[:, None]), "energy": short(roll.energies)} for model, roll in rolls.items()}
    about = {"name": name, "told": line, "side": first.pixels.shape[1], "steps": list(range(len(first.path))), "opens": opens}
    return json.dumps(about | {"titles": titles, "sides": sides}, ensure_ascii=False)
