"""Equations: every formula beside the function that implements it, and both sides of it computed while one looks."""

import inspect
from collections.abc import Callable
from functools import lru_cache
from textwrap import dedent
from typing import Any, Final

import gradio as gr

from ...backend.checks import MAX_SEED, number
from ...backend.studio import Studio
from ...equations import EQUATIONS, Check, run
from ..controls import HEAVY, NEWEST, Tab, guarded
from ..selection import Selection

PAPERS: Final = {
    "CEM": "Wang et al.: A unified contrastive energy-based model, ICLR 2022",
    "JEAT": "Zhu et al.: Towards understanding the generative capability of adversarially robust classifiers, ICCV 2021",
    "thesis": "Yin: Generative modeling with adversarial training, dissertation, 2022",
}
"""Key of `Equation.paper` -> what it is, in reading order."""

ORDER: Final = [key for paper in PAPERS for key, row in EQUATIONS.items() if row.paper == paper]
"""Keys of the cards, from top to bottom."""

INTRO: Final = """Each card claims an equality and tests it. **Both sides are computed apart, in float64, on a small random
net**: one by this package's function, the other written out by hand. Another seed draws another net and other data; the
equalities stay, the numbers change. Under each card stands the code of the function and of its check."""

LATEX: Final = [{"left": "$$", "right": "$$", "display": True}]


@lru_cache(maxsize=32)
def checks_at(seed: int) -> dict[str, Check]:
    """All checks at a seed; they are a function of it, so that visitors who only look share one run."""
    return {key: run(key, seed) for key in ORDER}


def plain(text: str) -> str:
    """Text whose stars and underscores Markdown leaves alone: D*, p_T."""
    return text.replace("*", r"\*").replace("_", r"\_")


def verdict(check: Check) -> str:
    """A card's result as Markdown."""
    sign, word = ("✓", "holds") if check.holds else ("✗", "does not hold")
    size = f"{check.difference:.1e}" if check.difference else "0"
    parts = " · ".join(f"{plain(part)} = {value:.4g}" for part, value in check.parts.items())
    return (
        f"`{check.left}` = `{check.right}`\n\n"
        f"{sign} **{word}**: largest relative difference **{size}** (tolerance {check.tolerance:.0e})\n\n{parts}"
    )


@lru_cache
def source(key: str) -> str:
    """The function of an equation, and below it the check."""
    row = EQUATIONS[key]
    function, check = (dedent(inspect.getsource(part)).rstrip() for part in (row.function, row.check))
    return f"# {row.name}\n{function}\n\n\n# how it is checked\n{check}"


def card(key: str, check: Check | None = None) -> str:
    """One equation as Markdown; its result and its code, which many visitors never look at, come with the check."""
    row = EQUATIONS[key]
    result = verdict(check) if check else "Computed when the tab is opened."
    note = f"\n\n**Note.** {plain(row.note)}" if row.note else ""
    code = (
        f"<details>\n<summary>Code: {row.name} and its check</summary>\n\n~~~\n{source(key)}\n~~~\n\n</details>"
        if check
        else ""
    )
    return (
        f"<div>\n\n### {row.title}\n\n{row.number}\n\n$${row.latex}$$\n\n</div>\n\n<div>\n\n{result}{note}\n\n</div>\n\n{code}"
    )


def summary(checks: dict[str, Check], seed: int) -> str:
    """All results in one sentence, the failures by number."""
    failed = [EQUATIONS[key].number for key, check in checks.items() if not check.holds]
    line = f"**{len(checks) - len(failed)} of {len(checks)} equations hold** at seed {seed}"
    largest = max(check.difference for check in checks.values())
    return f"✗ {line}. Not: {'; '.join(failed)}." if failed else f"✓ {line}; the largest difference of all is {largest:.1e}."


def show(seed: float | None, results: Callable[[int], dict[str, Check]] = checks_at) -> list[str]:
    """The summary and every card, in the order of the cards.

    Args:
        seed: what the visitor typed.
        results: seed -> checks.
    """
    whole = number("seed", seed, 0, MAX_SEED, whole=True)
    checks = results(whole)
    return [summary(checks, whole), *(card(key, check) for key, check in checks.items())]


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """Make the tab inside `with gr.Tab(...)`."""
    gr.Markdown(INTRO)
    with gr.Row():
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, interactive=True, scale=0, min_width=160)
        again = gr.Button("Run all checks live", variant="primary", scale=0, min_width=200, elem_id="equations-run")
    total = gr.Markdown("", elem_id="equations-summary")
    cards = []  # a component each and no more: the browser looks through all components of the page for every event of it
    for paper, reference in PAPERS.items():
        gr.Markdown(f"## {paper[0].upper()}{paper[1:]}\n\n{reference}")
        of_paper = [key for key in ORDER if EQUATIONS[key].paper == paper]
        cards += [gr.Markdown(card(key), latex_delimiters=LATEX, elem_classes="cem-equation") for key in of_paper]
    outputs: list[Any] = [total, *cards]
    live = guarded(lambda value: show(value, checks_at.__wrapped__))
    gr.on([again.click, seed.submit], live, seed, outputs, **NEWEST, **HEAVY)
    return Tab(params={"e.seed": seed}, draw=(guarded(show), [seed], outputs))
