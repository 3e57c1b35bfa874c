"""The kinds of models: what each one is, what it is asked for, and how it is read.

A kind is one row of KINDS.  Menus, command line, page and refusals follow from the row; nothing else compares a kind.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from ..data.images import Images
from ..dynamics import Dynamics, State
from ..energies import Energy
from ..nets.instances import Instances
from ..nets.one_vs_rest import OneVsRest, calibrated
from ..nets.two_class import TwoClass
from ..samplers import Sampler
from ..training.binary_probe import BinaryProbe
from ..training.loop import Objective
from ..training.pair_probe import PairProbe
from ..training.probes import Probe
from ..training.recipe import Recipe
from . import store
from .checks import BadInput, article, choice
from .sample import ascent, crowd, split
from .store import Card
from .train import watching

if TYPE_CHECKING:
    from .sample.chains import Chains
    from .studio import Studio


class Record(Protocol):
    """A sampler's energy that keeps, of each step, what page and files show."""

    bare: Energy
    """The same energy, of which nothing is kept."""

    def __call__(self, x: Tensor) -> Tensor:
        """The energy that the chains descend: (B, C, H, W) -> (B,)."""

    def row(self, state: State) -> dict[str, Tensor]:
        """The numbers of a step by name, each (B,)."""

    def outcome(self, studio: "Studio", card: Card, x: Tensor) -> dict[str, Any]:
        """Classes that the last images are taken for: some of the fields of `sampling.Chains`, by name."""


Begin = Callable[[nn.Module, Sampler, Tensor, Tensor, Tensor | None, str], Record]
"""(net, sampler, asked classes, x0, reference images or None, key of FEATURES) -> the record of a run."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A model read as a classifier, and the class that E(x, y) asks for.

    Attributes:
        net: (B, C, H, W) -> scores, (B, N).
        y: scalar int64.
        names: of the classes, N.
    """

    net: nn.Module
    y: Tensor
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """How a landscape looks at models of a kind.

    Attributes:
        energies: joint and marginal -> name on screen.
        share: what the probability of a table is of.
        likeliest: how the table heads the likeliest class.
        digits: of energies, after the point.
        zero: what levels of two models have in common, in a sentence.
        paired: E(x, y) is of a pair with an anchor image.
        read: (net, card, label of the image, [(name, image)]) -> reading; the images are the anchor and others to tell it
            from, each (C, H, W), and count only where `paired`.
    """

    energies: Mapping[str, str]
    share: str
    likeliest: str
    digits: int
    zero: str
    paired: bool
    read: Callable[[nn.Module, Card, int, list[tuple[str, Tensor]]], Reading]


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of `KINDS`.

    Attributes:
        title: the noun, as in "an encoder".
        usual: fields of a `SampleRequest` to begin with: sampler, start and count.
        begin: what keeps a run of chains.
        series: name -> title and unit of what a run keeps, in the order of the curves; the first is the chain's energy.
        whole: series that hold one number for the whole batch.
        summary: finished chains -> their outcome in a sentence.
        hints: finished chains -> how each of them began, in words.
        watch: what a training run of it shows while it goes, see `watching`.
        contrast: recipes that stand for training without attacks and with them.
        asks: fields of a `SampleRequest` that count for this kind alone.
        shared: several processes may train it, each on its part of every batch.
        classifies: its scores are logits of its card's classes: it has an accuracy, attacks and Fisher scores.
        rates: names of the accuracies that a training's probes measure, without an attack and under one.
        instead: where it does not, what to do instead; {name} and {recipe} are the model's.
        stands_for: kind for which its models stand wherever samplers and pictures ask for one, or "" for its own.
        attack: key of ATTACKS that its robust accuracy is measured by where none is named.
        score: key of SCORES by which it says how much an input is of its data, or "" where it does not.
        detects: its scores are those of a detector a class.
        finish: sets what is learned once its weights are trained, from images of the validation split, or None.
        view: how a landscape looks at it, or None where there is none.
        chunk: chains at a time where samples are measured; where a batch moves as one it decides what is drawn.
        reader: card -> name of the stored classifier by which the model itself says what an image shows, or None.
    """

    title: str
    usual: dict[str, Any]
    begin: Begin
    series: dict[str, tuple[str, str]]
    whole: tuple[str, ...]
    summary: Callable[["Chains"], str]
    hints: Callable[["Chains"], list[str]]
    watch: Callable[[Recipe, Dynamics, Objective, Images, Images, torch.Generator], Probe | PairProbe | BinaryProbe]
    contrast: tuple[str, str]
    shared: bool
    classifies: bool
    rates: tuple[str, str] = ("clean", "under PGD")
    asks: tuple[str, ...] = ()
    instead: str = ""
    stands_for: str = ""
    attack: str = "apgd"
    score: str = ""
    detects: bool = False
    finish: Callable[[nn.Module, Images], None] | None = None
    view: View | None = None
    chunk: int = 100
    reader: Callable[[Card], str | None] = lambda card: None


def _of_labels(net: nn.Module, card: Card, label: int, images: list[tuple[str, Tensor]]) -> Reading:
    return Reading(net, torch.tensor(label, device=images[0][1].device), card.classes)


def _of_pairs(net: nn.Module, card: Card, label: int, images: list[tuple[str, Tensor]]) -> Reading:
    names, pictures = zip(*images, strict=True)
    return Reading(Instances(net, torch.stack(pictures)), torch.tensor(0, device=pictures[0].device), names)


def _of_data(net: nn.Module, card: Card, label: int, images: list[tuple[str, Tensor]]) -> Reading:
    return Reading(TwoClass(net), torch.tensor(0, device=images[0][1].device), ("data", "none"))


def _calibrate(net: OneVsRest, images: Images) -> None:
    """Learn the constants of the classes on images that no member saw."""
    net.constants.zero_()
    with torch.no_grad():
        logits = torch.cat([net(part) for part in images.floats().split(500)])
    net.constants.copy_(calibrated(logits, images.labels))


KINDS: dict[str, Kind] = {
    "classifier": Kind(
        "classifier",
        {"sampler": "rcs", "start": "class-gaussian", "count": 16},
        split.begin,
        split.SERIES,
        (),
        split.summary,
        split.hints,
        watching.of_labels,
        ("standard", "at"),
        shared=True,
        classifies=True,
        view=View(
            {"joint": "E(x, y)", "marginal": "E(x)"}, "p(y | x)", "sees", 1,
            "Logits have no common zero: compare shapes, not levels.", False, _of_labels,
        ),
        score="softmax",
        reader=lambda card: card.name,
    ),
    "encoder": Kind(
        "encoder",
        {"sampler": "maxent", "start": "gaussian", "count": 64},  # the batch is one system, which wants more members
        crowd.begin,
        crowd.SERIES,
        ("entropy",),
        crowd.summary,
        crowd.hints,
        watching.of_pairs,
        ("simclr", "uat"),
        shared=False,  # every view is a reference of the others
        classifies=False,
        rates=("nearest neighbour", "after an attack on InfoNCE"),
        asks=("features",),
        instead="evaluate its linear probe, {name}-probe, or train one with: "
        "python -m cemviz train {recipe}-probe --set encoder={name}",
        view=View(
            {"joint": "E(x, x′)", "marginal": "E(x)"}, "p(x′ | x)", "most like", 2,
            "f is a cosine over τ: encoders of one τ share their levels.", True, _of_pairs,
        ),
        chunk=250,
        reader=crowd.probe_of,
    ),
    "one-vs-rest": Kind(
        "one-vs-rest net",
        {"sampler": "cs", "start": "class-gaussian", "count": 16},
        split.begin,
        split.SERIES,
        (),
        split.summary,
        split.hints,
        watching.of_labels,
        ("detectors", "in-out"),
        shared=True,
        classifies=True,
        stands_for="classifier",
        attack="rivals",
        score="logit",
        detects=True,
        finish=_calibrate,
        view=View(
            {"joint": "E(x, y)", "marginal": "E(x)"}, "p(y | x)", "sees", 1,
            "E(x, y) = −d_y − c_y: each class has its own net, and 0 is where data and attacked others are as likely.", False,
            _of_labels,
        ),
        reader=lambda card: card.name,
    ),
    "binary": Kind(
        "binary net",
        {"sampler": "ascent", "start": "gaussian", "count": 16},
        ascent.begin,
        ascent.SERIES,
        (),
        ascent.summary,
        crowd.hints,
        watching.of_games,
        ("binary", "binary-code"),
        shared=True,
        classifies=False,
        rates=("AUC against p₀", "AUC against p₀, attacked"),
        instead="it tells data from p₀ alone; sample from {name}",
        view=View(
            {"joint": "E(x)", "marginal": "log(1 − D)"}, "D(x)", "sees", 2,
            "E = −f is 0 where D = ½, the level of data once the game is solved.", False, _of_data,
        ),
        score="binary",
        reader=lambda card: next(iter(judges(card.data)), None),
    ),
}  # fmt: skip


def kind_of(card: Card) -> Kind:
    """The row of a model's kind.

    Raises:
        BadInput: a kind that is not in the table.
    """
    if card.kind not in KINDS:
        kinds = ", ".join(KINDS)
        raise BadInput("model", f"model {card.name!r} is of kind {card.kind!r}, which is unknown here; known are {kinds}")
    return KINDS[card.kind]


def stands_for(card: Card) -> str:
    """The kind that a model stands for where samplers and pictures ask for one: its own, unless its row names another."""
    return (KINDS[card.kind].stands_for if card.kind in KINDS else "") or card.kind


def classifier(card: Card, wanted: str, name: str = "model") -> Card:
    """The card, if its model classifies.

    Args:
        wanted: what needs a classifier, in words.
        name: of the field that chose the model.
    Raises:
        BadInput
    """
    kind = kind_of(card)
    if not kind.classifies:
        instead = f": {kind.instead.format(name=card.name, recipe=card.recipe)}" if kind.instead else ""
        raise BadInput(name, f"model {card.name!r} is {article(kind.title)}; {wanted} wants a classifier{instead}")
    return card


def pair(cards: Mapping[str, Card], data: str, kind: str) -> list[str]:
    """The net of a data set trained without attacks and the one with them, else the first two of the kind."""
    alike = [name for name, card in cards.items() if (card.data, card.kind) == (data, kind)]
    return [name for name in (f"{data}-{recipe}" for recipe in KINDS[kind].contrast) if name in alike] or alike[:2]


def compared(data: str) -> list[Card]:
    """The classifiers of a data set that rates and grids compare: all but its judges, which are trained apart.

    A kind that stands for classifiers is left out: attacks on the cross-entropy, which rates rest on, are weak against it.
    """
    return [card for card in _classifiers(data) if card.role != "judge" and not KINDS[card.kind].stands_for]


def judges(data: str) -> list[str]:
    """The stored classifiers that see samples for IS and FID, those that are called like their recipes first."""
    trained = [card for card in _classifiers(data) if card.role == "judge"]
    return [card.name for card in sorted(trained, key=lambda card: (card.name != card.recipe, len(card.name), card.name))]


def _classifiers(data: str) -> list[Card]:
    cards = (card for card in store.cards().values() if card.data == data)
    return [card for card in cards if card.kind in KINDS and KINDS[card.kind].classifies]


def chosen(cards: Mapping[str, Card], names: Iterable[str], most: int) -> list[Card]:
    """The cards of models by name, each once, in the order they are named.

    Raises:
        BadInput: none, too many, or a name that no model has.
    """
    names = list(names)
    if not 1 <= len(names) <= most:
        raise BadInput("models", f"{len(names)} models are chosen; choose 1 to {most}")
    return [cards[choice("models", name, cards)] for name in dict.fromkeys(names)]


def alike(cards: Iterable[Card]) -> list[Card]:
    """Models that can share a picture: all of one data set and one kind.

    Raises:
        BadInput: it names the first two that differ.
    """
    first, *others = cards
    for card in others:
        if card.data != first.data:
            raise BadInput(
                "models",
                f"models are of one data set; {first.name!r} is of {first.data}, {card.name!r} of {card.data}: drop one",
            )
        if stands_for(card) != stands_for(first):
            raise BadInput(
                "models",
                f"models are of one kind: energies of labels and of pairs share no scale; {first.name!r} is "
                f"{article(kind_of(first).title)}, {card.name!r} {article(kind_of(card).title)}: drop one",
            )
    return [first, *others]
