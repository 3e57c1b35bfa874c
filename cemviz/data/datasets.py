"""Rows of all that a data set brings: a new set is one row, and what a set of one's own lacks has a default."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .views import View, crop_and_flip, none


class DataMissing(LookupError):
    """A data set is neither in a local folder nor downloadable; the message says what to do."""


class BadData(ValueError):
    """A data set is here and cannot be taken as it is; the message names files or folders and says what to do."""


@dataclass(frozen=True, slots=True)
class Part:
    """A fixed part of a stored split: of every class in its order, the images from one share on up to another.

    Attributes:
        split: stored split that it is cut from.
        start, stop: shares in [0, 1].
        apart: split that this part leaves out; where that is a folder of its own, nothing is left out here.
    """

    split: str
    start: float
    stop: float
    apart: str = ""


VALIDATED = {"validation": Part("train", 0.9, 1), "train-rest": Part("train", 0, 0.9, apart="validation")}
"""The last tenth of the training split, on which hyper-parameters are chosen, and the rest of it."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """All that is known of a data set before it is read.

    Attributes:
        shape: (C, H, W), to which images are resized; None takes them as they are, in colour.
        classes: names in label order; None takes the folders' names, in the order of the alphabet.
        synonyms: other usual names of a class, see `canonical`.
        torchvision: class name in torchvision.datasets; None for a set that is a folder only.
        megabytes: of the download.
        mean, std: of the training split, per channel, in [0, 1], the first layer of every net; empty takes those of the images.
        views: augmentation of training batches, see `views`.
        parts: splits that are part of a stored one, by name.
        radius: half-width of a window of the landscape, L2 in pixel units: about three times that of adversarial training.
        rank: directions kept of a class Gaussian, as fits the budget of `checkpoints/`.
        judge: model that sees samples for IS and FID; gallery: model that draws what ships.
        outside: split whose images stand for what is no data of another set: p0 of its binary nets.
    """

    title: str
    shape: tuple[int, int, int] | None = None
    classes: tuple[str, ...] | None = None
    synonyms: Mapping[str, str] = field(default_factory=dict)
    torchvision: str | None = None
    megabytes: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    views: View = none
    parts: Mapping[str, Part] = field(default_factory=lambda: VALIDATED)
    radius: float = 3.0
    rank: int = 24
    judge: str = ""
    gallery: str = ""
    outside: str = "train"

    def canonical(self, name: str) -> str:
        """A class name without what tells two spellings apart: case, separators, synonyms, and the label in digits."""
        key = _plain(name)
        if self.classes and re.fullmatch("[0-9]+", key):
            label = int(key)
            key = _plain(self.classes[label]) if label < len(self.classes) else str(label)
        return self.synonyms.get(key, key)

    def labels(self, names: Sequence[str], classes: Sequence[str]) -> list[int | None]:
        """The label of each name among `classes`: by the name itself, else by `canonical`; None where it is no class."""
        exact = {name: label for label, name in enumerate(classes)}
        loose = {self.canonical(name): label for label, name in enumerate(classes)}
        return [exact.get(name, loose.get(self.canonical(name))) for name in names]


def _plain(name: str) -> str:
    """Lower case with one space for what separates words; a sign before a name stays: -1 is not 1."""
    return re.sub(r"(?<=\w)[\s_/-]+(?=\w)", " ", unicodedata.normalize("NFKC", name)).strip().casefold()


def _synonyms(classes: Sequence[str], **others: str) -> dict[str, str]:
    """Every plural, and the words listed for a class (its name with underscores) with commas between."""
    plurals = {f"{_plain(name)}s": _plain(name) for name in classes}
    return plurals | {_plain(word): _plain(name) for name, words in others.items() for word in words.split(",")}


DIGITS = tuple("0123456789")
WORDS = dict(zip("zero one two three four five six seven eight nine".split(), DIGITS, strict=True))
DIGIT_NAMES = (
    WORDS | {f"{digit} {word}": digit for word, digit in WORDS.items()} | {f"digit {digit}": digit for digit in DIGITS}
)

FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
FASHION_NAMES = _synonyms(
    FASHION, T_shirt="tshirt,tee,top,t-shirt/top,t-shirts", dress="dresses", ankle_boot="boot,boots,ankleboot"
)

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_NAMES = _synonyms(CIFAR10, airplane="plane,planes,aeroplane,aeroplanes", automobile="car,cars,auto,autos")

CIFAR100 = tuple(
    """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish forest
    fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain
    mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit
    raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower
    sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman
    worm""".split()
)

DATASETS: dict[str, Dataset] = {
    "mnist": Dataset(
        "MNIST", (1, 28, 28), DIGITS, DIGIT_NAMES, "MNIST", 11, (0.1307,), (0.3081,),
        radius=6.0, rank=32, judge="mnist-judge", gallery="mnist-at",
    ),
    "fashionmnist": Dataset(
        "Fashion-MNIST", (1, 28, 28), FASHION, FASHION_NAMES, "FashionMNIST", 30, (0.2860,), (0.3530,),
        parts=VALIDATED | {"held-out": Part("test", 0.5, 1), "test-rest": Part("test", 0, 0.5, apart="held-out")},
        radius=6.0, rank=32, judge="fashionmnist-judge", gallery="fashionmnist-at", outside="test-rest",
    ),
    "cifar10": Dataset(
        "CIFAR-10", (3, 32, 32), CIFAR10, CIFAR10_NAMES, "CIFAR10", 163, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616),
        crop_and_flip, judge="cifar10-judge", gallery="cifar10-at",
    ),
    "cifar100": Dataset(
        "CIFAR-100", (3, 32, 32), CIFAR100, {"computer keyboard": "keyboard"}, "CIFAR100", 161,
        (0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762), crop_and_flip, judge="cifar100-judge", gallery="cifar100-at",
    ),
    "svhn": Dataset(
        "SVHN", (3, 32, 32), DIGITS, DIGIT_NAMES, "SVHN", 237, (0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970),
        judge="svhn-judge", gallery="svhn-at",
    ),
    "tinyimagenet32": Dataset(  # 200 classes x 125: the last 15 of each make 3,000
        "Tiny ImageNet, 32x32", (3, 32, 32), mean=(0.4800, 0.4485, 0.3987), std=(0.2629, 0.2551, 0.2686),
        views=crop_and_flip, judge="tinyimagenet32-judge", gallery="tinyimagenet32-at",
        parts={
            "train": Part("train", 0, 0.88, apart="held-out"), "held-out": Part("train", 0.88, 1),
            "validation": Part("train", 0.79, 0.88), "train-rest": Part("train", 0, 0.79, apart="validation"),
        },
    ),
}  # fmt: skip
"""Every known set.  No training takes `held-out`: its images stay unseen for out-of-distribution tests (our choice of them)."""


def dataset(name: str) -> Dataset:
    """The row of a set, or that of a folder of one's own, which says what holds for any."""
    return DATASETS.get(name) or Dataset(name, judge=f"{name}-judge", gallery=f"{name}-at")
