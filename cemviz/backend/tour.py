"""The tour that the page begins with: chains of two nets from one noise, and stations that explain them, measured once.

    checkpoints/tour/opening.json    the chains that play while the page still loads
    checkpoints/tour/stations.json   what the seven stations of the tour show

Both are pictures and numbers that a browser draws without a request.  Every number that the stations' words name is a fact of
theirs, measured here.  No image of a data set is in them: the attacked digit was drawn by a model, and says so.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..data.datasets import dataset
from ..metrics import landscape
from ..metrics.answers import logits
from .attack.growing import flips, growing
from .look.digit import APART, ATTACKED, COUNT
from .packed import field, packed, places, short, sprite
from .play import Playground
from .presets import PLAY, UNLABELLED
from .requests import SampleRequest
from .sample.chains import Chains, sample
from .stored import artefacts, assets
from .stored.artefacts import Artefact
from .studio import Studio
from .use_case import Step

DATA = "mnist"

NETS = {"standard": "mnist-standard-linf", "robust": "mnist-jeat"}
"""The two nets of the tour: one architecture; found by trying, see `tests/test_tour.py` for what is held."""

BETWEEN, JUDGE, ENCODER = "mnist-at-linf", "mnist-judge", UNLABELLED.model
"""The same architecture under attacks alone; who reads the samples; a net that never saw a label."""

OPENING = SampleRequest(NETS["robust"], "jeat17", count=10, start="uniform", steps=40)
"""One chain a class from uniform noise, by JEAT's own sampler, without a ball."""

SHOWN = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40)
"""Steps of the chains that ship: close together where much happens."""

SUBJECT = 4
"""Image of MNIST's gallery that the first stations attack."""

RADII = tuple(round(APART[1] * i, 2) for i in range(COUNT))
"""Radii of the attacks: those of Your digit, which begins with the same image."""

SIDE, ROLLED, TURNS, POINTS = 41, 7, (0, 5, 15, 30, 60, 100, 160, 250, 400), 150
"""Points along an edge of a window, the class that the ball is asked for, and the turns and points of the game that ship."""


def make(studio: Studio, data: str = DATA) -> Iterator[Step | dict[str, Any]]:
    """Measure everything anew and write both files.

    Args:
        data: of whose models; only MNIST's have a tour.
    Yields:
        steps while at work; {path} of each file; {skipped} where there is no tour, or a model of it is not stored.
    Raises:
        BrokenCheckpoint, Unwritable.
    """
    if data != DATA:
        yield {"skipped": f"the tour is of {DATA}"}
        return
    cards, used = studio.cards(), (*NETS.values(), BETWEEN, JUDGE, ENCODER)
    if lacking := [name for name in used if name not in cards]:
        yield {"skipped": f"the tour is of {', '.join(lacking)}, which are not stored"}
        return
    parts = (_opening, _attack, _window, _roll, _plane, _unlabelled)
    scenes: dict[str, Any] = {}
    for i, part in enumerate(parts):
        yield Step(i, len(parts), part.__name__.strip("_"))
        scenes |= part(studio, scenes)
    models = {"models": {name: cards[name].sha256 for name in used}}
    opening = scenes.pop("opening")
    scenes.pop("chains")
    yield {"path": str(artefacts.write("tour", "opening", Artefact(models | opening), indent=None))}
    yield {"path": str(artefacts.write("tour", "stations", Artefact(models | scenes), indent=None))}


def opening() -> Artefact | None:
    """The shipped opening, or None where there is none.  Raises BrokenCheckpoint."""
    return artefacts.read("tour", "opening", f"run: python -m cemviz assets {DATA} --only tour")


def stations() -> Artefact | None:
    """The shipped stations, or None where there are none.  Raises BrokenCheckpoint."""
    return artefacts.read("tour", "stations", f"run: python -m cemviz assets {DATA} --only tour")


def chains_of(studio: Studio, request: SampleRequest) -> Chains:
    """The chains of a request."""
    *_, chains = sample(studio, request)
    return chains


def read_by(studio: Studio, chains: Chains) -> int:
    """How many of the last images a net that had no part in them takes for the class asked for."""
    answers = logits(studio.model(JUDGE)[0], torch.from_numpy(chains.final)).argmax(1).numpy()
    return int((answers == chains.labels).sum())


def _opening(studio: Studio, scenes: dict[str, Any]) -> dict[str, Any]:
    runs = {side: chains_of(studio, replace(OPENING, model=name)) for side, name in NETS.items()}
    alone = chains_of(studio, replace(OPENING, model=BETWEEN))
    panels = {
        side: {
            "model": chains.card.name,
            "sprite": sprite(chains.pixels[list(SHOWN), ..., 0]),
            "read": read_by(studio, chains),
            "energy": short(chains.series["joint"][list(SHOWN)].mean(1)),
        }
        for side, chains in runs.items()
    }
    about = {"classes": list(runs["robust"].card.classes), "steps": list(SHOWN), "side": runs["robust"].card.shape[1]}
    more = {
        "settings": runs["robust"].settings | {"seed": OPENING.seed},
        "judge": JUDGE,
        "attacks alone": read_by(studio, alone),
    }
    return {"opening": about | more | {"panels": panels}, "chains": runs}


def _attack(studio: Studio, scenes: dict[str, Any]) -> dict[str, Any]:
    """One digit under attacks of growing radius, by each net: what it looks like, and the net's logits."""
    gallery = assets.gallery(DATA)
    x = gallery.images[SUBJECT : SUBJECT + 1].to(studio.device.torch).float() / 255
    y = gallery.labels[SUBJECT : SUBJECT + 1].to(studio.device.torch)
    sides = {}
    for side, name in NETS.items():
        net, card = studio.model(name)
        frames, scores = zip(*growing(net, x, y, card.norm, RADII, ATTACKED, studio.device.generator(0)), strict=True)
        f = torch.stack(scores)
        sides[side] = {
            "sprite": sprite(torch.stack(frames).mul(255).round().byte().cpu().numpy()),
            "logits": [short(row) for row in f],
            "flips": flips(f, int(y), RADII),
        }
    return {"attack": {"radii": list(RADII), "label": int(y), "drawn by": gallery.model, **sides}}


def _window(studio: Studio, scenes: dict[str, Any]) -> dict[str, Any]:
    """E(x, y) around the digit, along each net's own attack and a random direction."""
    gallery, radius = assets.gallery(DATA), dataset(DATA).radius
    x, y = gallery.images[SUBJECT].to(studio.device.torch).float() / 255, gallery.labels[SUBJECT].to(studio.device.torch)
    sides = {}
    for side, name in NETS.items():
        net, _ = studio.model(name)
        plane = landscape.around(net, x, y, "adversarial", radius, SIDE, 0)
        energy, _ = landscape.energies(net, plane, y)
        sides[side] = field(energy) | {"range": round(float(energy.max() - energy.min()), 1)}
    return {"window": {"radius": radius, **sides}}


def _roll(studio: Studio, scenes: dict[str, Any]) -> dict[str, Any]:
    """The plane through one chain's start and both nets' ends, E(x, y) of each net on it, and the shadows of both chains.

    The chains move among all 784 pixels.  The plane holds their start and their ends; between, it shows where they would be if
    one looked straight down on it.
    """
    steps = {side: torch.from_numpy(chains.pixels[:, ROLLED]).permute(0, 3, 1, 2).float() / 255 for side, chains in
             scenes["chains"].items()}  # fmt: skip
    start = steps["robust"][0]
    u = steps["robust"][-1] - start
    u = u / u.norm()
    v = steps["standard"][-1] - start
    v = v - (u * v).sum() * u
    v = v / v.norm()
    shadows = {side: torch.stack([((x - start) * e).sum((1, 2, 3)) for e in (u, v)], 1) for side, x in steps.items()}
    points = torch.cat(list(shadows.values()))
    low, high = points.amin(0), points.amax(0)
    middle, half = (low + high) / 2, float((high - low).max()) * 0.6
    axis = landscape.window(half, SIDE)
    y = torch.tensor(ROLLED, device=studio.device.torch)
    sides = {}
    for side, name in NETS.items():
        net, _ = studio.model(name)
        centre = start + middle[0] * u + middle[1] * v
        plane = landscape.Plane(*(part.to(studio.device.torch) for part in (centre, u, v, axis)))
        energy, _ = landscape.energies(net, plane, y)
        chains = scenes["chains"][side]
        sides[side] = field(energy) | {
            "path": [short(point) for point in ((shadows[side] - middle) / half)],
            "energy": short(chains.series["joint"][:, ROLLED]),
            "sprite": sprite(chains.pixels[:, ROLLED, :, :, 0][:, None]),
        }
    return {"roll": {"asked": ROLLED, "half": round(half, 2), "steps": OPENING.steps, **sides}}


def _plane(studio: Studio, scenes: dict[str, Any]) -> dict[str, Any]:
    """Two games in the plane over their turns, which differ in p0 alone."""
    games = {}
    for key in ("maximin", "maximin-corner"):
        ground, shots = Playground(PLAY[key].rules, PLAY[key].seed), []
        for turn in TURNS:
            while ground.game.turn < turn:
                ground.both()
            view = ground.view(SIDE)
            points = {"start": places(view.start[:POINTS]), "moved": places(view.moved[:POINTS])}
            stands = {"spurious": round(view.stands.spurious, 4), "support": round(view.stands.D_support, 3)}
            shots.append({"D": packed(torch.from_numpy(view.D) * 255)} | points | stands)
        games[key] = {"shots": shots, "data": places(view.data[:POINTS])}
    return {"plane": {"turns": list(TURNS), "side": SIDE, **games}}


def _unlabelled(studio: Studio, scenes: dict[str, Any]) -> dict[str, Any]:
    """Chains of a net that never saw a label: a batch that spreads, and one that meets in one place."""
    sides, steps = {}, None
    for sampler in ("maxent", "pgd"):
        chains = chains_of(studio, replace(UNLABELLED, sampler=sampler))
        steps = np.linspace(0, chains.dynamics.steps, 11).round().astype(int).tolist()
        sides[sampler] = {
            "sprite": sprite(chains.pixels[steps, :10, :, :, 0]),
            "seen": len(set(chains.predicted.tolist())),
            "most": int(np.bincount(chains.predicted).max()),
            "count": len(chains.labels),
        }
    return {"unlabelled": {"model": ENCODER, "steps": steps, **sides}}
