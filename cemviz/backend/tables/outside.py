"""Table 3.12 of the dissertation: how well scores tell a model's data from other images, as they are and in the worst case."""

from typing import Any

from ..attack.outside import outside
from ..device import Device
from ..requests import OutsideRequest
from ..studio import Studio
from ..use_case import Step
from .detectors import STORED
from .evaded import CLASSIFIER, L2
from .measures import Measure
from .table import Cell, Experiment, Order

STEPS, RESTARTS = 100, 5
"""Steps and starts of Auto-PGD in the worst case, as in thesis Table 3.13."""


def told_apart(against: str, attacked: bool, score: str | None = None, radius: float = 2.0) -> Measure:
    """AUC of a model's score: its own test images against another set, as it is or in the worst case."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        strength = {"steps": STEPS, "restarts": RESTARTS} if attacked else {"steps": 1, "restarts": 1}
        request = OutsideRequest(model, against, score, "l2", radius, seed=seed, **strength)
        for item in outside(Studio(device, data), request):
            if not isinstance(item, Step):
                last = item
        rates = last.rates(attacked)
        rest = {"count": request.count, "split": last.part or None, "extractor": None, "seed": seed}
        note = "training saw other images of this set" if last.seen else ""
        return rest | {"value": rates["auc"], "error": rates["spread"], "resampled": "images", "note": note}

    way = f"worst radius={radius:g}" if attacked else "standard"
    return Measure(f"AUC against {against} {way} score={score or 'own'}", measure)


SETS = {"uniform": "uniform", "fashionmnist": "fashionmnist", "tinyimagenet32": "tinyimagenet32", "cifar10": "cifar10"}
SCORED = {
    "binary": ("mnist-ood", None), "one net a class": (L2, None), "standard": (CLASSIFIER, None), "AT": ("mnist-at", None),
    "JEM": ("mnist-jem", None), "JEM, −E(x)": ("mnist-jem", "energy"), "AT, −E(x)": ("mnist-at", "energy"),
}  # fmt: skip
THESIS_3_12 = Experiment(
    "Standard and worst-case detection of other images", "thesis Table 3.12",
    {
        (name, f"{way} {against}"): Cell(model, told_apart(against, way == "worst", score), **STORED)
        for name, (model, score) in SCORED.items()
        for way in ("standard", "worst")
        for against in SETS
    },
    {},
    tuple(
        Order(f"in the worst case the binary net tells {against} better than {name}'s softmax", ("binary", f"worst {against}"),
              (name, f"worst {against}"))
        for against in SETS
        for name in ("standard", "AT")
    ),
    "AUC of test digits against other images in their shape, as they are and raised by Auto-PGD within L2 2 (100 steps, 5 "
    "starts, each image's best). MNIST in place of CIFAR-10, whose table has OE, JEM and RATIO for rivals. The binary net "
    "was trained against other images of Fashion-MNIST and Tiny ImageNet; CIFAR-10 in grey and noise are new to it. The score "
    "of classifiers is the largest softmax unless the row says −E(x).",
)  # fmt: skip
