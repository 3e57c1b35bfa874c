"""Tables and figures of section 3.4 of the dissertation: a net a class as a generative classifier, beside a softmax one."""

from typing import Any

import torch

from ..device import Device
from ..studio import Studio
from .detectors import HERE, STORED
from .evaded import L2, images
from .measures import Measure, evaluated
from .table import Cell, Experiment, Order


def clean(calibrated: bool, split: str) -> Measure:
    """Accuracy of a net a class with its constants or without, on a split of its data."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        studio = Studio(device, data)
        net, card = studio.model(model)
        some = studio.split(card.data, split, card.classes)
        with torch.no_grad():
            logits = torch.cat([net(part) for part in some.floats().split(500)])
        answers = (logits if calibrated else logits - net.constants).argmax(1)
        value = (answers == some.labels).double().mean().item()
        return {"value": value, "count": len(some), "split": split, "extractor": None, "note": ""}

    return Measure(f"accuracy {'with' if calibrated else 'without'} constants on {split}", measure, rate=True, seeded=False)


def constant(k: int) -> Measure:
    """c_k, to be read beside the logits, whose spread over the test images of the class is the note."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        x, y, net = images(Studio(device, data), model, 10_000)
        with torch.no_grad():
            d = torch.cat([net.members[k](part).flatten() for part in x.split(500)])
        note = f"d_{k} is {d[y == k].mean():.1f} on the class, {d[y != k].mean():.1f} on the others, on average"
        rest = {"count": None, "split": None, "extractor": None}
        return rest | {"value": float(net.constants[k]), "note": note}

    return Measure(f"c_{k}", measure, seeded=False)


GENERATIVE, SOFTMAX = L2, "mnist-at"
RADII = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)


def accurate(model: str, radius: float) -> Cell:
    """Accuracy under the strongest attack that fits the kind of net: (3.47), (3.48), or Auto-PGD."""
    if radius == 0:
        return Cell(model, evaluated("accuracy"), **STORED)
    attack = "rivals" if model == GENERATIVE else "apgd"
    steps = 40 if model == GENERATIVE else 100
    return Cell(model, evaluated("robust", attack=attack, norm="l2", radius=radius, steps=steps, count=200), **STORED)


THESIS_3_14 = Experiment(
    "Generative and softmax classifier", "thesis Table 3.14",
    {
        (name, column): accurate(model, radius)
        for name, model in {"generative": GENERATIVE, "softmax": SOFTMAX}.items()
        for column, radius in {"natural": 0.0, "robust": 2.0, "large radius": 4.0}.items()
    },
    {
        ("generative", "natural"): 0.8812, ("generative", "robust"): 0.7227, ("softmax", "natural"): 0.9083,
        ("softmax", "robust"): 0.7017,
    },
    (
        Order("the softmax classifier has the higher standard accuracy", ("softmax", "natural"), ("generative", "natural")),
        Order("the generative classifier has the higher robust accuracy", ("generative", "robust"), ("softmax", "robust")),
        Order("and the more so under larger perturbations", ("generative", "large radius"), ("softmax", "large radius")),
    ),
    "MNIST in place of CIFAR-10: ten nets of 30,000 weights trained in L2 2.5 beside one of 73,000 trained in L2 2, attacked "
    "within L2 2 and 4: by (3.47), (3.48) with 40 steps, and by Auto-PGD.",
)  # fmt: skip
THESIS_FIG_3_7 = Experiment(
    "Accuracy over the radius", "thesis Figure 3.7",
    {
        (name, f"ε {radius:g}"): accurate(model, radius)
        for name, model in {"generative": GENERATIVE, "softmax": SOFTMAX}.items()
        for radius in RADII
    },
    {},
    tuple(
        Order(f"the generative classifier is ahead at {column}", ("generative", column), ("softmax", column))
        for column in (f"ε {radius:g}" for radius in RADII[2:])
    ),
    THESIS_3_14.about,
)  # fmt: skip

THESIS_3_16 = Experiment(
    "Accuracy before and after calibration", "thesis Table 3.16",
    {
        (name, column): Cell(L2, clean(after, split), **STORED)
        for name, after in {"before": False, "after": True}.items()
        for column, split in {"training": "train-rest", "test": "test"}.items()
    },
    {("before", "training"): 0.9525, ("after", "training"): 0.9543, ("before", "test"): 0.8812, ("after", "test"): 0.8815},
    (Order("calibration has little effect (within 1 % of test images)", ("after", "test"), ("before", "test"), 0.01),),
    "The thesis learns the constants on the training set and stops by the test set; here they are learned on the validation "
    "split, which no member saw. " + HERE,
)  # fmt: skip
PAPERS = (-0.068, -0.015, 0.066, 0.067, -0.037, 0.066, -0.068, -0.067, -0.058, 0.062)
"""The thesis' constants on CIFAR-10."""

THESIS_3_17 = Experiment(
    "The constants", "thesis Table 3.17",
    {(f"c_{k + 1}", "value"): Cell(L2, constant(k), **STORED) for k in range(10)},
    {(f"c_{k}", "value"): c for k, c in enumerate(PAPERS, 1)},
    (),
    "Beside the logits, which the notes tell, they are small where nets are well calibrated by themselves. " + HERE,
)  # fmt: skip
