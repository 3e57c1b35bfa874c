"""Result of an import: how a net was understood, what was measured, and what to do next."""

from dataclasses import dataclass
from typing import Any

from .. import kinds, store
from ..store import Card
from .guesses import Scale

CHAINS, STEPS, WAIT = 16, 20, 20.0
"""Chains and steps of a usual run, and the seconds above which fewer chains are proposed."""


@dataclass(frozen=True, slots=True)
class Try:
    """A normalisation, and a choice of what no shape tells, with what the net scores by it; None is not measured.

    Attributes:
        loss: mean cross-entropy, which tells apart what is equally accurate.
    """

    data: str
    scale: str
    numbers: Scale
    choices: dict[str, Any]
    accuracy: float | None = None
    loss: float | None = None

    def __str__(self) -> str:
        """As a line reads: set, shortcut raw on cifar10: 93.2 %."""
        words = ", ".join([self.scale, *(f"{k} {v}" for k, v in self.choices.items())])
        return words if self.accuracy is None else f"{words} on {self.data}: {100 * self.accuracy:.1f} %"


@dataclass(frozen=True, slots=True)
class Imported:
    """A net that was stored, and how it was understood.

    Attributes:
        tries: what was measured, best first.
        warnings: doubts about the net; empty where there are none.
        precision: half or single, and what storing changed, in words.
        seconds: that a usual run of `chains` chains takes here, about.
        threat: where norm and radius come from.
    """

    card: Card
    by: str
    unused: tuple[str, ...]
    tries: tuple[Try, ...]
    warnings: tuple[str, ...]
    precision: str
    threat: str
    seconds: float
    chains: int
    start: str

    @property
    def command(self) -> str:
        """Command that comes next: a grid of samples."""
        return f"python -m cemviz sample {self.card.name} --start {self.start} --count {self.chains}"

    @property
    def link(self) -> str:
        """Address of the net in Sampling, beside the standard one of its set."""
        beside = f"{self.card.data}-standard"
        other = f"&b={beside}" if beside in store.cards() else ""
        sampler = kinds.kind_of(self.card).usual["sampler"]
        run = f"&s.as={sampler}&s.bs={sampler}&s.start={self.start}&s.count={self.chains}&s.numbers=suited&s.K={STEPS}"
        return f"?tab=sampling&a={self.card.name}{other}{run}"

    @property
    def facts(self) -> dict[str, Any]:
        """As one JSON object."""
        card = self.card
        return {
            "model": card.name, "by": self.by, "net": card.net, "data": card.data, "shape": list(card.shape),
            "classes": len(card.classes), "normalisation": {k: card.net_args[k] for k in ("mean", "std")},
            "tried": [{"scale": t.scale, "data": t.data, **t.choices, "accuracy": t.accuracy} for t in self.tries],
            "norm": card.norm, "radius": card.radius, "threat": self.threat, "accuracy": card.metrics.get("accuracy"),
            "unused": list(self.unused), "warnings": list(self.warnings), "precision": self.precision,
            "seconds": round(self.seconds, 1), "chains": self.chains, "next": self.command, "link": self.link,
        }  # fmt: skip

    @property
    def first_run(self) -> str:
        """A first run, and how long one waits for it."""
        chains = f"{self.chains} chains" if self.chains > 1 else "one chain"
        return f"a run of {chains} and {STEPS} steps takes about {max(1, round(self.seconds))} s here"

    @property
    def threat_model(self) -> str:
        """Norm and radius as people write them: l2 0.5, linf 8/255."""
        card = self.card
        return f"{card.norm} {card.radius * 255:.3g}/255" if card.norm == "linf" else f"{card.norm} {card.radius:g}"

    def findings(self) -> list[tuple[str, str]]:
        """How it was understood in words, and how the command line is told otherwise, or ""."""
        card, first = self.card, self.tries[0]
        size = " × ".join(map(str, card.shape))
        tried = "; ".join(str(t) for t in self.tries[:8] if t.data == first.data)
        accuracy = card.metrics.get("accuracy")
        scale = f"{first}, not measured" if first.accuracy is None else f"measured: {tried}"
        measured = f"{accuracy['value']:.3f} of {accuracy['count']} test images" if accuracy else ""
        return [
            (f"data set: {card.data}, images of {size}, {len(card.classes)} classes", "another: --dataset"),
            (f"normalisation: {scale}", "another: --scale"),
            (f"threat model: {self.threat_model}, {self.threat}", "another: --norm, --radius"),
            *([(f"accuracy: {measured}", "")] if measured else []),
            *([(f"left aside: {len(self.unused)} tensors{_some(self.unused)}", "")] if self.unused else []),
            (f"stored: {self.precision}", "" if "single" in self.precision else "single: --full"),
            *((f"doubt: {warning}", "") for warning in self.warnings),
            (self.first_run, ""),
        ]

    def lines(self) -> list[str]:
        """The same for the command line, with what comes next."""
        lines = [f"{line} ({advice})" if advice else line for line, advice in self.findings()]
        return [f"{self.card.name}: {self.by}", *lines, f"next: {self.command}", f"on the page: {self.link}"]


def _some(names: tuple[str, ...]) -> str:
    """Up to three names, and whether they are all."""
    return f": {', '.join(names)}" if len(names) <= 3 else f", such as {', '.join(names[:3])}"


def imported(
    card: Card,
    by: str,
    unused: tuple[str, ...],
    tries: tuple[Try, ...],
    warnings: tuple[str, ...],
    precision: str,
    threat: str,
    seconds: float,
) -> Imported:
    """The result, with a first run that a person waits for.

    Args:
        seconds: of a forward pass, an image; a step of a chain costs three more in its two backward passes.
    """
    chain = 4 * STEPS * seconds
    chains = max(1, min(CHAINS, int(WAIT / max(chain, 1e-9))))
    start = "class-gaussian" if (store.folder() / "seeds" / f"{card.data}.safetensors").is_file() else "uniform"
    return Imported(card, by, unused, tries, warnings, precision, threat, chain * chains, chains, start)
