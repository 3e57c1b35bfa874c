"""Words and payloads of the detect tab."""

import json
from typing import Any
from urllib.parse import urlencode

import numpy as np
import torch

from ...backend.attack.detect import Detected, Version
from ...backend.attack.detection import WAYS, Outsiders, Rates, Shipped
from ...backend.attack.outside import UNIFORM
from ...backend.look.attribution import Attribution, Mask
from ...backend.packed import packed, short, sprite
from ...backend.requests import NORMS
from ...backend.store import Card
from ...data.datasets import DATASETS
from ...evasion import EVASIONS
from ...metrics.scores import SCORES
from ..numbers import minus

INTRO = """A detector a class asks: is this picture of the class it is taken for? It was trained on clean images of its class
against attacked images of the others (thesis (3.23)), so it should reject an attack on the classifier alone. Here both are
attacked."""

NO_MODEL = """No net a class is stored here. Train one: `python -m cemviz train mnist-detectors`, then open this tab again."""

LOOKING = "Looking ..."

OWN = ""
"""The class of a picture that attacks leave, where none is named."""

SHARE = 0.95
"""Share of clean validation images that pass at the threshold that the page begins with."""

HOW = """**How to read it.** *Integrated* detection (thesis 3.2.1): the classifier f answers, and the picture passes where the
logit of that answer's detector reaches T; *generative* detection needs no f: the largest logit answers and decides (3.27).
Dashed lines are T of both, bars the logits d_k + c_k of all detectors, with the constants of (3.43); one T serves all of
them, as in the thesis' evaluation. An attack wins only where a *wrong* answer passes. Each starts at a random point of the ball
and takes signed steps (L∞) or unit steps (L2): on f alone (3.30), on the detectors alone (3.32), on both in one function
(3.33), (3.34), or first on f and then on the detectors (3.35), which the thesis detected the more effective of the last two.

T begins where 95 % of the validation images pass. **Drag it**: a lower T lets more clean images pass (TPR, (3.28)) and more
attacked ones that fooled f (FPR, (3.29)). AUC is the chance that a clean image scores above an attacked one; one that is still
read right counts as below all, as (3.29) has it. *Other data sets* are to score low too; *worst case* raises each by Auto-PGD
within a ball (thesis 3.3), for every model by an attack on its own score. Ours: sign steps in place of Adam's, 20 steps for the
picture above (the numbers below say theirs), thresholds from a split that no rate is measured on, and worst-case detection of
the detectors and of other classifiers; the thesis reports it of a binary net against p₀ (Table 3.12)."""

WHY = """**Integrated gradients** from black (thesis Fig. 3.10): what each pixel adds to the logit of class {label}, blue for
it, orange against it; each picture has its own scale, and its pixels sum to the rise of the logit. The thesis shows them on the
object for the adversarial and the generative net and scattered for the standard one: look whether it is so here."""


def payload(detected: Detected) -> str:
    """A picture's versions as `detect.js` takes them, JSON."""
    waiting = list(EVASIONS) if detected.request.attacked and len(detected.versions) == 1 else []
    return json.dumps({
        "title": detected.title,
        "label": detected.label,
        "clean": _real(detected),
        "classes": list(detected.card.classes),
        "front": detected.classifier,
        "threshold": detected.threshold,
        "shape": list(detected.versions[0].pixels.shape),
        "versions": [_version(version, detected.card) for version in detected.versions],
        "waiting": [EVASIONS[key].title for key in waiting],
    }, ensure_ascii=False, separators=(",", ":"))  # fmt: skip


def _real(detected: Detected) -> bool:
    """Whether the picture is a test image: only of one is a rejection a false alarm."""
    return detected.request.image.partition(":")[0] in ("grid", "test")


def _version(version: Version, card: Card) -> dict[str, Any]:
    row = EVASIONS.get(version.key)
    answer = version.integrated.answer
    return {
        "key": version.key,
        "title": row.title if row else "As it is",
        "source": row.source.removeprefix("thesis ") if row else "no attack",
        "pixels": packed(torch.from_numpy(version.pixels)),
        "answer": card.classes.index(answer),
        "p": short([version.classifier[answer]])[0],
        "scores": short(list(version.scores.values())),
    }


def counterfactual(detected: Detected, picture: str, beside: str | None) -> str:
    """The address of Sampling but for its class y, and the class to begin with, the likeliest that the picture is not, JSON.

    Args:
        picture: its name where an address holds it.
        beside: the adversarial classifier, or None.
    """
    scores = detected.versions[0].scores
    first = max((name for name in scores if name != detected.label), key=scores.__getitem__)
    address = {
        "tab": "sampling", "a": detected.card.name, "b": beside or "none", "x": picture, "seed": detected.request.seed,
        "s.start": "picture", "s.as": "cs", "s.bs": "cs", "s.count": 1, "s.alpha": 0.5, "s.eta": 0, "s.beta": 6, "s.K": 20,
    }  # fmt: skip
    return json.dumps(
        {"href": "?" + urlencode(address), "first": first, "classes": list(detected.card.classes)}, ensure_ascii=False
    )


def summary(detected: Detected) -> str:
    """Outcome of the attacks on a picture, in a sentence or two."""
    attacked = detected.versions[1:]
    begun = (
        f"**{detected.title}**: {detected.card.name} behind {detected.classifier}, attacks within {NORMS[detected.norm]} "
        f"ε = {detected.radius:.2g}, {detected.request.steps} steps."
    )
    if not _real(detected):
        begun += " It is no image of the data set, and a detector may well reject it as it is."
    if not attacked:
        return f"{begun} Attacking ..." if detected.request.attacked else begun
    wrong = [version for version in attacked if version.integrated.answer != detected.label]
    through = sum(version.integrated.passes for version in wrong)
    alone = sum(v.generative.passes and v.generative.answer != detected.label for v in attacked)
    fooled = f"the classifier is fooled by {_of(len(wrong), len(attacked))}"
    rest = f", of which integrated detection lets {_of(through, len(wrong))} pass" if wrong else ""
    generative = f"generative detection is deceived by {_of(alone, len(attacked))}"
    return f"{begun} Where 95 % of clean images pass, {fooled}{rest}; {generative}."


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole}" if part else "none"


def scores(data: str, model: str, whole: Shipped) -> str | None:
    """The scores that ship as `scores.js` takes them, JSON; None where none of these detectors do."""
    fronts = [row for row in whole.rates if row.model == model]
    if not fronts:
        return None
    return json.dumps({
        "title": _title(data),
        "ways": {way: f"attacked images, by {title}" for way, title in WAYS.items()},
        "attacks": {key: row.title for key, row in EVASIONS.items()},
        "fronts": [_front(row) for row in fronts],
        "others": [_other(row) for row in sorted(whole.outsiders, key=lambda row: row.model != model)],
    }, ensure_ascii=False, separators=(",", ":"))  # fmt: skip


def _front(row: Rates) -> dict[str, Any]:
    note = (
        f"{row.model} behind {row.classifier}; attacks within {NORMS[row.norm]} ε = {row.radius:g}, {row.steps} steps, "
        f"{row.count} images, seed {row.seed}."
    )
    each = {
        way: {
            "clean": row.clean[way],
            "attacked": {key: by_way[way] for key, by_way in row.attacked.items()},
            "threshold": row.threshold(way, SHARE),
        }
        for way in WAYS
    }
    return {"name": row.classifier, "scores": each, "note": note}


def _other(row: Outsiders) -> dict[str, Any]:
    part = f"{row.part} split, " if row.part else ""
    caution = "; training saw other images of this set" if row.seen else ""
    note = (
        f"{row.model}; worst case within {NORMS[row.norm]} ε = {row.radius:g}, {row.steps} steps, the best of "
        f"{row.restarts} starts; "
        f"{part}{len(row.clean)} images of either set, seed {row.seed}{caution}."
    )
    title = SCORES[row.score].title
    return {
        "key": f"{row.model} {row.score}", "keyTitle": f"{row.model}: {title}", "scoreTitle": _axis(row.score, title),
        "against": row.against, "againstTitle": _title(row.against), "inside": row.inside, "clean": row.clean,
        "worst": row.worst, "note": note,
    }  # fmt: skip


def _axis(score: str, title: str) -> str:
    return f"log-odds of {title}" if score == "softmax" else title


def _title(data: str) -> str:
    return "uniform noise" if data == UNIFORM else DATASETS[data].title if data in DATASETS else data


def masks(attribution: Attribution) -> str:
    """A picture a net, side by side: HTML."""
    figures = "".join(_mask(mask, attribution.label) for mask in attribution.masks)
    return f'<div class="cem-why">{figures}</div>'


def _mask(mask: Mask, label: str) -> str:
    url = sprite(coloured(mask.pixels)[None, None])
    name = f"{mask.card.name}: {mask.card.words}"
    rise = minus(f"the logit is {mask.rise:+.1f} above that of black")
    alt = f"what each pixel adds to the logit of {label}, {mask.card.name}"
    return f'<figure><figcaption>{name}</figcaption><img src="{url}" alt="{alt}"><p>{rise}</p></figure>'


def coloured(values: np.ndarray) -> np.ndarray:
    """Signed numbers as colours, (H, W) -> uint8 (H, W, 3): blue above zero, orange below, white at it; the largest is full."""
    share = values / max(float(np.abs(values).max()), 1e-12)
    ends = np.where(share[..., None] > 0, np.array([0, 94, 160]), np.array([200, 80, 0]))
    return np.rint(255 + np.abs(share)[..., None] * (ends - 255)).astype(np.uint8)
