"""Helpers for the tests of detection: a net a class of the data set `stripes` behind two classifiers, and scores that ship."""

from dataclasses import asdict, replace

from stripes import card

from cemviz.backend import store
from cemviz.backend.attack.detection import WAYS, Outsiders, Rates
from cemviz.backend.device import choose
from cemviz.backend.store import Card
from cemviz.backend.stored import artefacts
from cemviz.backend.stored.artefacts import Artefact
from cemviz.backend.studio import Studio
from cemviz.evasion import EVASIONS
from cemviz.nets import build

DETECTORS = "stripes-detectors"
FRONTS = ("stripes-standard", "stripes-at")
VALIDATION = tuple(float(i) for i in range(-20, 0))
"""Validation scores of integrated detection, of which 19 of 20 reach -19; those of generative detection are 1 higher."""


def detecting(name: str = DETECTORS, seed: int = 3) -> Card:
    """Store a net a class with random weights."""
    args = {"trunk": "small-cnn", "width": 4, "hidden": 8, "side": 8, "mean": [0.4] * 3, "std": [0.3] * 3, "outputs": 3}
    made = replace(card(name, kind="one-vs-rest", norm="linf", radius=0.3), net="one-vs-rest", net_args=args)
    store.save(build(made.net, seed=seed, **args), made)
    return store.read_card(name)


def rates(detectors: Card, behind: Card, **changes) -> Rates:
    """Scores of four test images: 0 to 3 as they are; attacked, the first is still read right, the others score 1, 2 and 3."""
    given = {"norm": "linf", "radius": 0.3, "steps": 10, "count": 4, "seed": 0}
    scores = {
        "validation": {way: tuple(v + k for v in VALIDATION) for k, way in enumerate(WAYS)},
        "clean": dict.fromkeys(WAYS, (0.0, 1.0, 2.0, 3.0)),
        "attacked": {key: dict.fromkeys(WAYS, (None, 1.0, 2.0, 3.0)) for key in EVASIONS},
    }
    return Rates(detectors.name, detectors.sha256, behind.name, behind.sha256, **given | scores | changes)


def outsider(of: Card, score: str, against: str = "uniform") -> Outsiders:
    """Scores of three images of either set, of which attacks raise the others'."""
    sets = ((3.0, 4.0, 5.0), (0.0, 1.0, 2.0), (2.0, 3.5, 6.0))
    return Outsiders(of.name, of.sha256, score, against, "", False, "l2", 1.0, 10, 2, 0, *sets)


def ship(*rows: Rates, outsiders: tuple[Outsiders, ...] = ()) -> None:
    """Write scores as `detection.make` does."""
    head = {"data": "stripes", "models": {}, "rates": [*map(asdict, rows)], "outsiders": [*map(asdict, outsiders)]}
    artefacts.write("detection", "stripes", Artefact(head), indent=None)


def guarded() -> Studio:
    """A machine with the detectors, both classifiers, and what ships of them."""
    made = detecting()
    for seed, name in enumerate(FRONTS):
        one = card(name)
        store.save(build(one.net, seed=seed, **one.net_args), one)
    fronts = [store.read_card(name) for name in FRONTS]
    others = (outsider(made, "logit"), outsider(fronts[0], "softmax"))
    ship(*(rates(made, one) for one in fronts), outsiders=others)
    return Studio(choose("cpu"))
