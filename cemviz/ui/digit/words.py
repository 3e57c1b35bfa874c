"""Words and payload of the digit tab."""

import json
from typing import Any

import torch

from ...backend.look.digit import STEPS, WINDOW, Digit
from ...backend.packed import field, short, sprite

INTRO = """Draw a digit, or upload a picture of one. Two nets look at it at once; ask for a class y, and it rolls into that.
What you draw is kept in the address of this page alone: share the link to share the drawing."""

READY = "The drawing is in the address of this page."


def payload(digit: Digit, number: int) -> str:
    """A drawing's answers as `digit.js` takes them, JSON.

    Args:
        number: of the pad's change that they answer, see `pad.js`.
    """
    sides = dict(zip(("robust", "standard"), digit.seen, strict=True))  # the keys of the views' places A and B

    def each(part: Any) -> dict[str, Any]:
        return {key: part(seen) for key, seen in sides.items()}

    return json.dumps({
        "number": number,
        "classes": list(digit.classes),
        "titles": each(lambda seen: seen.title),
        "told": {"see": see(digit), "become": f"The drawing rolls down E(x, {digit.classes[digit.asked]}) of each net."},
        "attack": {"radii": list(digit.radii)} | each(lambda seen: {
            "sprite": sprite(seen.attacked[:, None]), "logits": [short(row) for row in seen.logits], "label": seen.label,
        }),
        "window": {"radius": digit.radius, "side": WINDOW} | each(lambda seen: field(torch.from_numpy(seen.energy))),
        "become": {"asked": digit.classes[digit.asked], "steps": STEPS} | each(lambda seen: {
            "sprite": sprite(seen.rolled[:, None]), "energy": short(seen.energies),
        }),
    }, ensure_ascii=False, separators=(",", ":"))  # fmt: skip


def see(digit: Digit) -> str:
    """Answers and attacks of both nets, in a sentence each."""
    a, b = digit.seen
    names = digit.classes
    same = f"Both see a {names[a.label]}." if a.label == b.label else f"A sees a {names[a.label]}, B a {names[b.label]}."
    return f"{same} {_fooled('A', a.flips, digit)}, {_fooled('B', b.flips, digit)}."


def _fooled(name: str, flips: float | None, digit: Digit) -> str:
    return f"{name} changes its mind at ε = {flips:g}" if flips is not None else f"{name} holds out to ε = {digit.radii[-1]:g}"
