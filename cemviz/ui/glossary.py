"""The symbols of the page: what each stands for, to be read wherever it stands."""

import html
import json
import re
from typing import Final

GLOSSARY: Final[dict[str, str]] = {
    "x": "an image: all its pixels as one point, each between 0 and 1",
    "x0": "where a chain starts",
    "y": "a class, such as the digit 3",
    "f": "the net's scores, its logits: one number for each class, the larger the surer",
    "E": "an energy: low where the net finds something likely. E(x, y) = −f(x)[y] is of an image with a label, "
    "E(x) = −log Σ exp f(x) of the image alone",
    "p0": "the law that points are drawn from before an attack moves them",
    "pT": "where those points are after the attack",
    "D": "a classifier's probability that a point is real data: D = 1 / (1 + exp(−f))",
    "λ": "lambda, how long one move of a point is",
    "α": "alpha, how long one step is",
    "β": "beta, how far a chain may go from its start",
    "η": "eta, how much noise each step adds to each pixel",
    "K": "how many steps a chain or an attack takes",
    "nats": "the unit of energies: of two points, one that lies 1 nat lower is e = 2.7 times as likely",
    "SSIM": "how alike two pictures are in their parts: 1 where they are the same, about 0 where they have nothing in common",
    "logsumexp": "log Σ exp f: about the largest score, and a little more where others come near it",
    "FID": "how far samples are from real images as a whole, as a net's features see them; lower is better",
    "AUC": "how often a real image has a higher score than another one: 1 is always, .5 is chance",
    "ε": "epsilon, how far an attack may move an image: here, by how much at most it may change each pixel",
}
"""Symbol -> its meaning in a line."""

SHOWN: Final = {"x0": "x₀", "p0": "p₀", "pT": "p_T"}
"""How a symbol is written, where that is not its key."""


def data() -> str:
    """The glossary as the page's scripts read it, by symbols as they are written, JSON in a tag of the head."""
    text = json.dumps({SHOWN.get(key, key): meaning for key, meaning in GLOSSARY.items()}, ensure_ascii=False).replace(
        "</", "<\\/"
    )
    return f'<script type="application/json" id="cem-glossary">{text}</script>'


MARK: Final = re.compile(r"\[\[(\w+)(?:\|([^\]]+))?\]\]")


def marked(text: str) -> str:
    """Text with its [[symbol]]s, or [[symbol|as written]], made into buttons that tell their meaning: HTML.

    Raises:
        KeyError: a symbol without an entry.
    """

    def button(match: re.Match[str]) -> str:
        key, written = match[1], match[2] or SHOWN.get(match[1], match[1])
        meaning = html.escape(GLOSSARY[key], quote=True)
        return f'<button type="button" class="cem-symbol" data-meaning="{meaning}">{written}</button>'

    return MARK.sub(button, text)
