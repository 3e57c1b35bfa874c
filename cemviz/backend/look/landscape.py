"""The landscape around an image: E(x, y) and E(x) of several models on one plane, and any point of it looked at.

An encoder knows no labels: there E(x, y) is E(x, x'), the energy of a pair with an anchor image x', and E(x) is the energy
against the anchor and the images that ship in the gallery.  Images are named as in `pictures`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...energies import joint, marginal
from ...metrics import answers
from ...metrics.landscape import Plane, Shape, around, read, scan, shape
from .. import kinds
from ..checks import BadInput, article, choice, number
from ..kinds import Reading
from ..requests import LandscapeRequest
from ..sample.chains import labels, to_pixels
from ..store import Card
from ..stored import assets
from ..studio import Studio
from ..use_case import Step
from .pictures import Subject, subject
from .readings import reading

ENERGIES = ("joint", "marginal")

MOST_MODELS = 4


@dataclass(frozen=True, slots=True)
class Missing:
    """A panel that cannot be shown, and why."""

    model: str
    why: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One model's window, as plain arrays; keys of the dicts are those of `ENERGIES`.

    Attributes:
        axis: coordinates along u and v, (n,), 0 in the middle.
        grids: energies in nats, (n, n) float32: row i is b = axis[i], column j is a = axis[j].
        shapes: minimum and flatness of each.
        precomputed: read from the shipped grids (rounded to half precision) instead of computed here.
        kind: of the model, key of KINDS.
    """

    model: str
    title: str
    label: int
    name: str
    axis: np.ndarray
    grids: dict[str, np.ndarray]
    shapes: dict[str, Shape]
    precomputed: bool
    kind: str = "classifier"

    def centre_energy(self, energy: str) -> float:
        """The energy of the image itself, nats."""
        return float(self.grids[energy][len(self.axis) // 2, len(self.axis) // 2])


@dataclass(frozen=True, slots=True)
class Row:
    """One model's view of a point: energies in nats, their change from the image, p(y | x) or, among the references,
    p(x' | x), and the likeliest class or reference if known."""

    model: str
    joint: float
    marginal: float
    joint_change: float
    marginal_change: float
    p: float
    predicted: str | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the plane of one model, looked at by all.

    Attributes:
        a, b: along u and v; `distance` from the image is sqrt(a^2 + b^2), of the point that is not clamped.
        pixels, image: the point and the image in the middle, uint8, (H, W, C), clamped to [0, 1]; None where the image is not
            on this machine, for the reason `lacking`.
        outside: share of its values that lie outside [0, 1], so that the picture differs from what the energies are of.
        kind: of the models, key of KINDS.
    """

    a: float
    b: float
    distance: float
    pixels: np.ndarray | None
    image: np.ndarray | None
    lacking: str
    outside: float | None
    rows: tuple[Row, ...]
    kind: str = "classifier"


def viewed(studio: Studio, request: LandscapeRequest) -> list[Card]:
    """The cards of a request's models, each once.

    Raises:
        BadInput, BrokenCheckpoint.
    """
    cards = kinds.alike(kinds.chosen(studio.cards(), request.models, MOST_MODELS))
    if kinds.kind_of(cards[0]).view is None:
        offered = " or ".join(article(row.title) for row in kinds.KINDS.values() if row.view)
        title = article(kinds.kind_of(cards[0]).title)
        raise BadInput("models", f"{cards[0].name!r} is {title}; a landscape wants {offered}")
    return cards


def middle(studio: Studio, request: LandscapeRequest, *, pixels: bool = True) -> Subject:
    """The image in the middle, its class the one that is asked for; no window of another class is precomputed.

    Raises: as `viewed` and `subject`; BadInput: a class that the models do not know.
    """
    card = viewed(studio, request)[0]
    chosen = subject(studio, card.data, request.image, card.classes, pixels=pixels)
    if not request.label or kinds.kind_of(card).view.paired:  # pairs have no class
        return chosen
    label = labels((request.label,), 1, card)[0]
    return chosen if card.classes[label] == chosen.name else replace(chosen, label=label, name=card.classes[label], window=None)


def precomputed(studio: Studio, request: LandscapeRequest) -> dict[str, Panel]:
    """The panels that need no computing, by model: those of a grid:I with the shipped radius, side and seed, where not stale.

    Raises: as `viewed` and `subject`.
    """
    cards = viewed(studio, request)
    centre = middle(studio, request, pixels=False)
    grids = None if centre.window is None else assets.grids(cards[0].data)
    if grids is None or (request.radius, request.side, request.seed) != (grids.radius, grids.side, grids.seed):
        return {}
    windows = {card.name: grids.around(card, request.directions, centre.window) for card in cards}
    return {
        card.name: _panel(card, centre, request, windows[card.name], True) for card in cards if windows[card.name] is not None
    }


def landscape(studio: Studio, request: LandscapeRequest) -> Iterator[Step | Panel | Missing]:
    """Measure the windows of a request, model by model, in its order.

    Yields:
        points done while at work; a `Panel` a model, or `Missing` where a window is not precomputed (or was, for weights that
        have changed) and cannot be computed without the image's pixels.
    Raises:
        BadInput, KeyError, BrokenCheckpoint: as `viewed`, `subject`, `Studio.model`; BadInput if no window can be shown at all.
    """
    cards = viewed(studio, request)
    ready = precomputed(studio, request)
    # where all is ready no image is looked for: opening the page must not read a data set
    centre = middle(studio, request, pixels=len(ready) < len(cards))
    if centre.x is None and not ready:
        raise BadInput("image", _cannot(cards[0], centre))
    for card in cards:
        if card.name in ready:
            yield ready[card.name]
        elif centre.x is None:
            yield Missing(card.name, _cannot(card, centre))
        else:
            read_as, window = _plane(studio, request, card.name, centre)
            scores: list[Tensor] = []
            for f in scan(read_as.net, window):
                scores.append(f)
                yield Step(sum(map(len, scores)), request.side**2, card.name)
            grids = tuple(e.cpu().numpy() for e in read(torch.cat(scores), read_as.y, request.side))
            yield _panel(card, centre, request, grids, False)


def plane_of(studio: Studio, request: LandscapeRequest, model: str) -> Plane | None:
    """The plane of a model's panel, from which every image of it can be made; None where the image's pixels are not here.

    Raises: as `landscape`.
    """
    centre = middle(studio, request)
    return None if centre.x is None else _plane(studio, request, model, centre)[1]


def point(studio: Studio, request: LandscapeRequest, a: float, b: float, model: str | None = None) -> Point:
    """Look at centre + a u + b v.  The point is not clamped to [0, 1] for the energies; the picture is.

    Where the pixels are on this machine every model sees the same image; where they are not, the energies are those of the
    nearest grid point, and under adversarial directions only `model` has one there, since the others' planes are not its own.

    Args:
        a, b: L2 in pixel units, inside the window.
        model: whose plane, the first one's where None; it matters only for adversarial directions.
    Raises: as `landscape`.
    """
    cards = viewed(studio, request)
    owner = choice("model", model or request.models[0], request.models)
    centre = middle(studio, request)
    a, b = (float(number(name, v, -request.radius, request.radius)) for name, v in (("a", a), ("b", b)))
    if centre.x is None:
        panels = precomputed(studio, request)
        if owner not in panels:
            raise BadInput("image", _cannot(cards[0], centre))
        axis = panels[owner].axis
        i, j = (int(np.abs(axis - v).argmin()) for v in (b, a))
        views = panels.values() if request.directions == "random" else [panels[owner]]
        a, b = float(axis[j]), float(axis[i])
        return Point(
            a, b, float(np.hypot(a, b)), None, None, centre.lacking, None, tuple(_row_of(panel, i, j) for panel in views)
        )
    _, window = _plane(studio, request, owner, centre)
    x = torch.cat([window.at(*torch.tensor([[a], [b]]).to(centre.x)), centre.x[None]])
    rows = tuple(_row(card.name, reading(studio, card.name, centre, request.anchor), x) for card in cards)
    outside = float(((x[0] < 0) | (x[0] > 1)).float().mean())
    return Point(a, b, float(np.hypot(a, b)), *to_pixels(x), "", outside, rows, cards[0].kind)


def _plane(studio: Studio, request: LandscapeRequest, model: str, centre: Subject) -> tuple[Reading, Plane]:
    read_as = reading(studio, model, centre, request.anchor)
    window = (request.directions, request.radius, request.side, request.seed)
    return read_as, around(read_as.net, centre.x, read_as.y, *window)


def _panel(card: Card, centre: Subject, request: LandscapeRequest, grids: tuple[np.ndarray, ...], ready: bool) -> Panel:
    axis = np.linspace(-request.radius, request.radius, request.side, dtype=np.float32)
    named = dict(zip(ENERGIES, grids, strict=True))
    shapes = {k: shape(torch.from_numpy(e), torch.from_numpy(axis)) for k, e in named.items()}
    return Panel(card.name, card.title, centre.label, centre.name, axis, named, shapes, ready, card.kind)


def _row(model: str, read_as: Reading, x: Tensor) -> Row:
    """Both energies of a point and of the image it belongs to: x is (2, C, H, W)."""
    with torch.no_grad():
        f = read_as.net(x)
    e, m = joint(f, read_as.y.expand(2)).tolist(), marginal(f).tolist()
    p = f[0].softmax(0)
    return Row(model, e[0], m[0], e[0] - e[1], m[0] - m[1], p[read_as.y].item(), answers.read(f[:1], read_as.names)[0])


def _row_of(panel: Panel, i: int, j: int) -> Row:
    e, m = (float(panel.grids[k][i, j]) for k in ENERGIES)
    p = float(np.exp(min(m - e, 0.0)))  # log p(y | x) = E(x) - E(x, y), which half precision may push above 0
    return Row(panel.model, e, m, e - panel.centre_energy("joint"), m - panel.centre_energy("marginal"), p)


def _cannot(card: Card, centre: Subject) -> str:
    if kinds.kind_of(card).view.paired:
        return f"{centre.lacking} Energies of pairs are not precomputed: choose an image of the gallery, which ships."
    grids = assets.grids(card.data)
    return (
        f"{centre.lacking} Ready without them: radius {grids.radius:g}, side {grids.side}, seed {grids.seed}, the image's "
        f"own class, and of these the models as they were then: {', '.join(grids.models)}. Choose those, or an image of the "
        f"gallery; or, where the data set is, make the grids again: python -m cemviz assets {card.data}"
    )
