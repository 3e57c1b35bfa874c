"""Thesis sections 2.5.3 and 2.5.4: noise taken away, holes filled, blurred starts, lines between starts.

Steps are chosen on the validation split, by the mean SSIM of COUNT images there, and used on the test split, whose first images
are of all classes in turn.  An inpainting's step is chosen for each variant.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import mean as average
from typing import Any

import torch
from torch import Tensor

from ...data import images
from ...data.datasets import dataset
from ...draws import Each
from ...dynamics import Dynamics, descend, pin, settle
from ...energies import Energy, binary, on
from ...metrics.restoration import BASELINES, mean, split
from ...metrics.similarity import similarity, similarity_map
from ...mixtures import blurred
from ...samplers import suited
from ...starts import draw
from .. import kinds
from ..checks import BadInput
from ..device import Device
from ..look.holes import hole
from ..look.restore import BETWEEN, SAMPLER, line, noisy, occluded
from ..studio import Studio
from .measures import Measure
from .table import Cell, Experiment, Order, Place

MODEL = "mnist-binary"
COUNT, MOST = 100, 30
"""Images; steps of a climb, at most."""

FELL, SHOWN = "it fell for test images", 6
"""Words before the numbers of images that came out worse, and how many of these are named."""

Numbers = Mapping[str, Tensor]
"""Name -> one number an image, (COUNT,)."""


@dataclass(frozen=True, slots=True)
class Restoration:
    """A restoration of the first COUNT test images.

    Attributes:
        numbers: ssim, and, of a hole, inside and outside; before: the same of the damaged images.
        steps: that were chosen; 0 for what is no climb.
    """

    numbers: Numbers
    before: Numbers
    steps: int = 0

    @property
    def gain(self) -> Tensor:
        """How much more similar to the truth each image became."""
        return self.numbers["ssim"] - self.before["ssim"]


def tuned(energy: Energy, start: Tensor, truth: Tensor, step: float, fixed: Tensor | None = None) -> int:
    """The number of steps, from 1 to MOST, after which the mean SSIM is highest.

    Args:
        start, truth: images to choose on, (B, C, H, W).
        fixed: true where pixels are held, (H, W).
    """
    dyn, project = Dynamics(MOST, step), None if fixed is None else pin(start, fixed)
    means = [similarity(state.x, truth).mean().item() for state in descend(energy, start, dyn, project=project)]
    return max(range(1, MOST + 1), key=means.__getitem__)


def _problem(studio: Studio, model: str) -> tuple[Energy, float, Tensor, Tensor]:
    """Energy and step of a model, and the images to choose on and to report on."""
    net, card = studio.model(model)
    chosen, test = (studio.split(card.data, part, card.classes) for part in ("validation", "test"))
    if chosen is None or test is None:
        raise LookupError(f"the images of {card.data} are not on this machine (see README, Data)")
    return on(net, binary), suited(SAMPLER, card.shape).step / 2, chosen.first(COUNT).floats(), test.first(COUNT).floats()


@lru_cache(maxsize=4)
def denoised(model: str, sha256: str, device: Device, data: str | None, sigma: float, seed: int) -> Restoration:
    """Noise of standard deviation sigma taken away."""
    energy, step, chosen, test = _problem(Studio(device, data), model)
    places = range(len(chosen) + len(test))
    damaged = noisy(torch.cat([chosen, test]), sigma, Each(seed, places, device.torch))
    steps = tuned(energy, damaged[: len(chosen)], chosen, step)
    start = damaged[len(chosen) :]
    after = settle(energy, start, Dynamics(steps, step))
    return Restoration({"ssim": similarity(after, test)}, {"ssim": similarity(start, test)}, steps)


@lru_cache(maxsize=2)
def inpainted(model: str, sha256: str, device: Device, data: str | None) -> dict[str, Restoration]:
    """The hole in the middle filled in every way: row -> restoration."""
    studio = Studio(device, data)
    energy, step, chosen, test = _problem(studio, model)
    card = studio.cards()[model]
    lost = hole("", card.shape[1:]).to(test.device)
    start = occluded(test, lost)

    def numbers(x: Tensor) -> Numbers:
        alike = similarity_map(x, test)
        return {"ssim": alike.mean((1, 2))} | dict(zip(("inside", "outside"), split(alike, lost), strict=True))

    before = numbers(start)
    restorations = {OCCLUDED: Restoration(before, before)}
    for row, fixed in ((FREE, None), (HELD, ~lost)):
        steps = tuned(energy, occluded(chosen, lost), chosen, step, fixed)
        project = None if fixed is None else pin(start, fixed)
        restorations[row] = Restoration(numbers(settle(energy, start, Dynamics(steps, step), project=project)), before, steps)
    searched = images.load(card.data, "train", classes=card.classes, data=data, device=device.torch).pixels
    for row, search in BASELINES.items():
        restorations[f"Recovered ({row})"] = Restoration(numbers(search(test, start, lost, searched)), before)
    return restorations


OCCLUDED, FREE, HELD = "Occluded", "Recovered (ours, climbs freely)", "Recovered (ours, known pixels held)"

COLUMNS: dict[str, Callable[[Restoration], Tensor | int]] = {
    "before": lambda restoration: restoration.before["ssim"],
    "SSIM": lambda restoration: restoration.numbers["ssim"],
    "inside": lambda restoration: restoration.numbers["inside"],
    "outside": lambda restoration: restoration.numbers["outside"],
    "gain": lambda restoration: restoration.gain,
    "fell": lambda restoration: (restoration.gain < 0).double(),
    "K": lambda restoration: restoration.steps,
}
"""Column -> its numbers, one an image: SSIM before and after, in the hole and around it, their difference, whether it fell."""


def _number(restoration: Restoration, column: str) -> dict[str, Any]:
    """A cell's number, with its standard error over images and, for the gain, its interval in words."""
    values, rest = (
        COLUMNS[column](restoration),
        {"count": len(restoration.gain), "split": "test", "extractor": None, "note": ""},
    )
    if isinstance(values, int):
        return rest | {"value": float(values), "error": None, "split": "validation"}
    over = mean(values)
    if column == "gain":
        rest["note"] = "95 % interval over images {:.3f} to {:.3f}".format(*over.interval)
    if column == "fell" and (fell := values.nonzero().flatten().tolist()):
        rest["note"] = f"{FELL} {', '.join(map(str, fell[:SHOWN]))}{', ...' * (len(fell) > SHOWN)}"
    return rest | {"value": over.value, "error": over.error, "resampled": "images"}


def denoising(sigma: float, column: str) -> Measure:
    """A column of denoising at one strength of noise, which the seed of the table draws."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        restoration = denoised(model, Studio(device, data).cards()[model].sha256, device, data, sigma, seed)
        return _number(restoration, column) | {"seed": seed}

    return Measure(f"denoise {column} sigma={sigma:g} count={COUNT}", measure, rate=column == "fell")


def inpainting(row: str, column: str) -> Measure:
    """A column of one way to fill the hole in the middle; nothing of it is drawn."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        return _number(inpainted(model, Studio(device, data).cards()[model].sha256, device, data)[row], column)

    return Measure(f"inpaint {column} {row} count={COUNT}", measure, rate=column == "fell", seeded=False)


# ------------------------------------------------------------------------------------------------- blurred starts, lines

DRAWN, SURE, LINES = 200, 0.9, 25
"""Chains of a row; probability from which a judge counts as sure; lines between starts, of BETWEEN chains each."""

BLUR = 1.0
"""Standard deviation of a blur, in pixels: our choice."""


EYES = {"sure": "", "sure, clean judge": "-clean"}
"""Column -> end of the name of the judge: the usual one, and the one that saw clean images alone in training."""


def _sure(studio: Studio, model: str, x: Tensor, eye: str) -> dict[str, Any]:
    """The share of images of which a judge of the data set is sure."""
    card = studio.cards()[model]
    judge = f"{dataset(card.data).judge}{eye}"
    if judge not in kinds.judges(card.data):
        raise BadInput("extractor", f"there is no judge of {card.data}; train it with: python -m cemviz train {judge}")
    with torch.no_grad():
        sure = studio.model(judge)[0](x).softmax(1).amax(1) >= SURE
    rest = {"count": len(x), "split": None, "extractor": f"judge-{judge}", "note": "", "resampled": "binomial"}
    return rest | {"value": sure.double().mean().item(), "error": None}


def _starts(studio: Studio, model: str, count: int, seed: int) -> Tensor:
    _, card = studio.model(model)
    rows = torch.zeros(count, dtype=torch.int64, device=studio.device.torch)
    return draw(kinds.kind_of(card).usual["start"], studio.source(card), rows, Each(seed, range(count), studio.device.torch))


def _climbed(studio: Studio, model: str, x0: Tensor) -> Tensor:
    net, card = studio.model(model)
    return settle(on(net, binary), x0, suited(SAMPLER, card.shape))


def from_starts(blur: float, climbs: bool, eye: str) -> Measure:
    """A judge's share of starts that were blurred or not, or of what is generated from them."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        studio = Studio(device, data)
        x0 = blurred(_starts(studio, model, DRAWN, seed), blur)
        return _sure(studio, model, _climbed(studio, model, x0) if climbs else x0, eye) | {"seed": seed}

    return Measure(f"sure{eye} climbs={climbs} blur={blur:g} count={DRAWN}", measure, rate=True)


def along_lines(places: tuple[int, ...], eye: str) -> Measure:
    """A judge's share of samples that were climbed from these places of a line between two starts."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        studio = Studio(device, data)
        ends = _starts(studio, model, 2 * LINES, seed)
        x0 = torch.stack([line(a, b) for a, b in ends.view(LINES, 2, *ends.shape[1:])])[:, list(places)].flatten(0, 1)
        return _sure(studio, model, _climbed(studio, model, x0), eye) | {"seed": seed}

    return Measure(f"sure{eye} of places {','.join(map(str, places))} of {LINES} lines", measure, rate=True)


# ----------------------------------------------------------------------------------------------------------------- tables


def _cells(rows: Mapping[str, Callable[[str], Measure]], columns: tuple[str, ...]) -> Iterator[tuple[Place, Cell]]:
    for row, of_column in rows.items():
        for column in columns:
            yield (row, column), Cell(MODEL, of_column(column), "shipped")


NOISES = (0.3, 0.1)

NOISY = (0.186, 0.342, 0.265, 0.132, 0.259, 0.262, 0.161, 0.244, 0.269, 0.218)
DENOISED = (0.301, 0.322, 0.421, 0.297, 0.388, 0.407, 0.349, 0.410, 0.320, 0.578)
"""SSIM of the ten images of Table 2.7, whose noise is that of Fig. 2.13: .1."""

ABOUT = (
    f"{MODEL} on MNIST in place of CelebA-HQ 256: orders compare, numbers do not. The first {COUNT} test images, of all "
    f"classes in turn; K from 1 to {MOST}, with half the sampler's step, is chosen on as many images of the validation split. "
    "The gain is the mean difference of SSIM, image by image, and fell the share of images on which it is negative. "
)

THESIS_2_7 = Experiment(
    "Denoising: SSIM of noisy and of denoised images",
    "thesis Table 2.7",
    dict(
        _cells({f"σ {s:g}": lambda column, s=s: denoising(s, column) for s in NOISES}, ("before", "SSIM", "gain", "fell", "K"))
    ),
    {("σ 0.1", "before"): round(average(NOISY), 4), ("σ 0.1", "SSIM"): round(average(DENOISED), 4)},
    tuple(Order(f"denoised images are more similar to the truth (σ {s:g})", (f"σ {s:g}", "gain"), 0.0) for s in NOISES),
    ABOUT + "The paper's numbers are means of the ten images that it shows, of which one fell; its σ is .1.",
)

ROWS = (OCCLUDED, FREE, HELD, *(f"Recovered ({row})" for row in BASELINES))
PATCH, ORIGINAL, BLIND = ROWS[3:]

THESIS_2_8 = Experiment(
    "Inpainting: SSIM of occluded and of recovered images",
    "thesis Table 2.8",
    dict(_cells({row: lambda column, row=row: inpainting(row, column) for row in ROWS}, ("SSIM", "inside", "outside")))
    | dict(_cells({row: lambda column, row=row: inpainting(row, column) for row in (FREE, HELD)}, ("gain", "fell", "K")))
    | {(PATCH, "gain"): Cell(MODEL, inpainting(PATCH, "gain"), "shipped")},
    {
        (OCCLUDED, "SSIM"): 0.817, (FREE, "SSIM"): 0.828, (PATCH, "SSIM"): 0.835, (ORIGINAL, "SSIM"): 0.311,
        (BLIND, "SSIM"): 0.288,
    },
    (
        Order("recovered images are more similar to the truth than occluded ones", (FREE, "gain"), 0.0),
        Order("the climb outperforms NN by the ground-truth patch (the text; the table says .828 and .835)",
              (FREE, "SSIM"), (PATCH, "SSIM")),
        Order("the climb outperforms NN by the original image", (FREE, "SSIM"), (ORIGINAL, "SSIM")),
        Order("the climb outperforms NN by the occluded image", (FREE, "SSIM"), (BLIND, "SSIM")),
        Order("ours: with known pixels held the climb recovers more", (HELD, "gain"), (FREE, "gain")),
    ),
    ABOUT + "The hole is a grey box of 10 x 10 pixels in the middle; inside and outside are mean SSIM over its pixels and "
    "over the others, whose windows overlap the hole. The thesis climbs freely; holding known pixels is our variant. NN "
    "searches the 60,000 training images, a patch at the hole's own place. The paper disagrees with itself: its text says that "
    "the climb outperforms the NN baseline on average, its averages have NN-patch above.",
)  # fmt: skip


def surer(claim: str, over: str, under: str, margin: float | None = None) -> Order:
    """A claim on two shares, by both judges."""
    first, second = (((over, column), (under, column)) for column in EYES)
    return Order(claim, *first, margin=margin, second=second)


BOTH = (
    f"sure is the share of which MNIST's judge is sure (p ≥ {SURE:g}); a claim is decided where the judge that saw clean "
    "images alone in training agrees"
)

PLAIN, SOFT = "from the starts", "from blurred starts"

THESIS_FIG_2_9 = Experiment(
    "Generation from starts and from blurred starts",
    "thesis Figure 2.9",
    {
        (row, column): Cell(MODEL, from_starts(blur, climbs, eye), "shipped")
        for row, blur, climbs in (
            ("starts", 0.0, False), ("blurred starts", BLUR, False), (PLAIN, 0.0, True), (SOFT, BLUR, True),
        )
        for column, eye in EYES.items()
    },
    {},
    (
        surer("samples from starts are surer than the starts", PLAIN, "starts"),
        surer("samples from blurred starts are surer than those", SOFT, "blurred starts"),
    ),
    f"The paper shows pictures of CelebA-HQ 256, from source images and from blurred ones; here {MODEL} climbs from {DRAWN} "
    f"Gaussian starts, blurred by {BLUR:g} pixel or not, and {BOTH}.",
)  # fmt: skip

ENDS, MIDDLE = (0, BETWEEN - 1), (BETWEEN // 2 - 1, BETWEEN // 2)

THESIS_FIG_2_16 = Experiment(
    "Interpolation: samples from between two starts",
    "thesis Figure 2.16",
    {
        (row, column): Cell(MODEL, along_lines(places, eye), "shipped")
        for row, places in (("from the ends", ENDS), ("from the middle", MIDDLE))
        for column, eye in EYES.items()
    },
    {},
    (
        surer(
            "samples from between are as good as those of the ends (within .15, our margin)",
            "from the middle", "from the ends", margin=0.15,
        ),
    ),
    f"The paper shows pictures; here {MODEL} climbs from {LINES} lines between Gaussian starts, from both ends and from two of "
    f"{BETWEEN} places in the middle, and {BOTH}.",
)  # fmt: skip
