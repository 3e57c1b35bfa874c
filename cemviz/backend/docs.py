"""The long tables of docs/, written from what they are about: the shipped models and the equations.

`python -m cemviz docs` writes them; a test holds that they are current.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ..equations import EQUATIONS
from ..nets import build, parameters
from . import kinds, store
from .attack import rates as robustness
from .store import Card
from .use_case import Step

FOLDER = Path(__file__).parents[2] / "docs"

MODELS = """# The models that ship

Made by `python -m cemviz docs` from the cards in `checkpoints/`. Shares of test images ± one standard error, one training seed;
attacks are Auto-PGD of 100 steps on the cross-entropy with one random start, in the model's own threat model. A robust number
compares only within one threat model.

| model | net | accuracy | under attack | threat model | made by |
|---|---|---|---|---|---|
"""

NOTES = """
`flat` nets differ in their last layer only: it sees where things are instead of a mean over the picture. `simclr` and `uat` are
encoders that never saw a label; their `-probe` is a linear layer on frozen features. A `binary` net saw no label either: its
one number tells data from what an attack made of p₀. Judges see samples for IS and FID and are never compared: one of a set
was trained on noisy images and overlooks speckle, `clean` minds it. The nets of CIFAR-10 were trained on one GPU, in 90 seconds
to ten minutes each, several at once; their probes and everything of MNIST on two CPU cores.
"""

EQUATIONS_HEAD = """# The equations

Made by `python -m cemviz docs`. Each row is one function and a check that computes both sides of the equation by two ways that
share as little code as can be, in float64; the tab *Equations* of the page runs them live, with the code beside them.

"""


def models() -> str:
    """The table of the stored models, as Markdown."""
    rows = [_model(card) for card in store.cards().values()]
    return MODELS + "".join(f"| {' | '.join(row)} |\n" for row in rows) + NOTES


def _model(card: Card) -> tuple[str, ...]:
    with torch.device("meta"):
        weights = parameters(build(card.net, **card.net_args))
    size = f"{weights / 1e6:.1f}M" if weights >= 1e6 else f"{weights / 1e3:.0f}k"
    if kinds.kind_of(card).classifies:
        shares = tuple(_share(card.metrics.get(metric)) for metric in ("accuracy", "robust"))
    elif kinds.kind_of(card).reader(card) == f"{card.name}-probe":
        shares = (f"see `{card.name}-probe`", "see there")
    else:
        shares = ("tells data from p₀", "draws")
    command = card.command.removeprefix("python -m cemviz ")
    net = f"{card.net}, {size} weights"
    return f"`{card.name}`", net, *shares, robustness.within(card.norm, card.radius), f"`{command}`"


def _share(measured: dict[str, Any] | None) -> str:
    if measured is None:
        return "not measured"
    return f"{measured['value']:.1%} ± {measured['spread']:.1%} of {measured['count']:,}"


def equations() -> str:
    """The table of the equations, as Markdown."""
    parts = [EQUATIONS_HEAD]
    for row in EQUATIONS.values():
        check = row.check(0)
        parts.append(
            f"## {row.number}: {row.title}\n\n$${row.latex}$$\n\n`{row.name}`; checked: `{check.left}` = `{check.right}` "
            f"to {check.tolerance:.0e}.{f' {row.note}' if row.note else ''}\n\n"
        )
    return "".join(parts).rstrip() + "\n"


PAGES = {"MODELS.md": models, "EQUATIONS.md": equations}


def write(folder: Path = FOLDER) -> Iterator[Step | dict[str, Any]]:
    """Write every page.

    Yields:
        a step a page, then {written: paths}.
    """
    for count, (name, text) in enumerate(PAGES.items()):
        yield Step(count, len(PAGES), name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text(), encoding="utf-8")
    yield {"written": [str(folder / name) for name in PAGES]}
