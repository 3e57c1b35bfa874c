"""Words and payload of the digit tab."""

import json
from typing import Any

import torch

from ...backend.checks import article
from ...backend.look.digit import STEPS, WINDOW, Digit
from ...backend.packed import field, short, sprite

INTRO = """Draw a digit, or upload a picture of one. Two nets look at it at once; ask for a class y, and it rolls into that.
It is kept in the address of this page alone: share the link to share it. With CIFAR-10 nets it is a photograph."""

INSTEAD = """These nets look at other pictures than digits: choose one in the bar above, or upload one of your own there."""
"""In the pad's place."""


EXAMPLE = "A drawing that a net made, to begin with: draw over it."


def ready(digit: Digit) -> str:
    """Name of the picture that was looked at."""
    visitors = digit.request.image.partition(":")[0] in ("drawn", "upload")
    return f"{digit.title[:1].upper()}{digit.title[1:]}." + " It is in the address of this page." * visitors


def payload(digit: Digit, number: int) -> str:
    """A picture's answers as `digit.js` takes them, JSON.

    Args:
        number: of the pad's change that they answer, see `pad.js`.
    """
    sides = dict(zip(("robust", "standard"), digit.sides, strict=True))  # the keys of the views' places A and B

    def each(part: Any) -> dict[str, Any]:
        return {key: part(side) for key, side in sides.items()}

    return json.dumps({
        "number": number,
        "classes": list(digit.classes),
        "titles": each(lambda side: side.title),
        "drawn": digit.request.image.startswith("drawn:"),
        "told": {"see": see(digit), "become": f"The picture rolls down E(x, {digit.classes[digit.target]}) of each net."},
        "attack": {"radii": list(digit.radii), "pixels": digit.x.shape[0], "classes": list(digit.classes)} | each(lambda side: {
            "sprite": sprite(side.attacked[:, None]), "logits": [short(row) for row in side.logits], "label": side.label,
        }),
        "window": {"radius": digit.radius, "side": WINDOW} | each(lambda side: field(torch.from_numpy(side.energy))),
        "become": {"asked": digit.classes[digit.target], "steps": STEPS, "pixels": digit.x.shape[0]} | each(lambda side: {
            "sprite": sprite(side.rolled[:, None]), "energy": short(side.energies),
        }),
    }, ensure_ascii=False, separators=(",", ":"))  # fmt: skip


def see(digit: Digit) -> str:
    """Answers and attacks of both nets, in a sentence each."""
    a, b = digit.sides
    names = digit.classes
    both = article(names[a.label])
    same = f"Both see {both}." if a.label == b.label else f"A sees {both}, B {article(names[b.label])}."
    return f"{same} {_fooled('A', a.flips, digit)}, {_fooled('B', b.flips, digit)}."


def _fooled(name: str, flips: float | None, digit: Digit) -> str:
    return f"{name} changes its mind at ε = {flips:g}" if flips is not None else f"{name} holds out to ε = {digit.radii[-1]:g}"
