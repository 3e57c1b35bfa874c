"""How the page looks: gradio theme, style sheets, scripts in the head, and the colours that figures share.

Launch with `page.launch_options()`. The views' style sheets travel inside `HEAD` and not inside `CSS`, because gradio re-writes
what it gets as `css=`: it drops `@container` rules and prefixes every selector.

Lines use colours of Okabe and Ito, which people with any common colour-vision deficiency can tell apart (the fourth one
is darkened for contrast). A figure is always built with the light colours below; `views.live_plot` swaps them for their
dark partners when the page is dark.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import gradio as gr

from . import glossary
from .modules import served, shipped

HERE: Final = Path(__file__).parent

# name: (on a light page, on a dark page). Every colour but the grid has a contrast of at least 3:1 with its page.
PALETTE: Final[dict[str, tuple[str, str]]] = {
    "data": ("#0072B2", "#56B4E9"),  # p_data, and panel A of a comparison
    "p0": ("#D55E00", "#F28E54"),  # p_0 (where chains start), and panel B
    "third": ("#009E73", "#3CC8A0"),
    "fourth": ("#B0588C", "#E09CC4"),
    "ink": ("#27272A", "#E4E4E7"),  # annotations, limits, arrows
    "muted": ("#62626B", "#A1A1AA"),  # secondary lines and text
    "grid": ("#DEDEE3", "#3F3F46"),  # grid lines, which need no contrast
}

DATA: Final = PALETTE["data"][0]
INK: Final = PALETTE["ink"][0]
MUTED: Final = PALETTE["muted"][0]

DARK_OF: Final[dict[str, str]] = dict(PALETTE.values())

# Gradio 6.31 ships the semi-bold file of this font as a 5 KB stub: bold text then falls back to another font.
_FONT: Final = (gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "ui-sans-serif", "system-ui", "sans-serif")

THEME: Final = gr.themes.Default(primary_hue="indigo", neutral_hue="zinc", font=_FONT).set(
    # The defaults fail WCAG AA: subdued text has a contrast of 1.9:1, and so does the primary button.
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    link_text_color="*primary_700",
    link_text_color_dark="*primary_300",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_800",
    button_primary_text_color="white",
    button_primary_text_color_dark="white",
)


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _palette_css() -> str:
    """The palette as custom properties `--cem-NAME`, so that style sheets and Python never disagree."""
    light, dark = ("".join(f"--cem-{name}:{pair[side]};" for name, pair in PALETTE.items()) for side in (0, 1))
    return f":root{{{light}}}.dark{{{dark}}}"


def _plotly_address() -> str:
    """Addresses of plotly.py's own plotly.js, which the first figure of a page fetches, and of what draws until it is there.

    Gradio bundles an older plotly.js than plotly.py writes for.
    """
    package = find_spec("plotly")
    if package is None or package.origin is None:
        raise ImportError("plotly is not installed: pip install -r requirements.txt")
    script = Path(package.origin).parent / "package_data" / "plotly.min.js"
    sketch = served(HERE / "js/sketch.js")
    return f'<meta name="cem-plotly" content="{shipped(script)}"><meta name="cem-sketch" content="{sketch}">'


STYLES: Final = (
    "css/views.css",
    "css/tables.css",
    "css/classroom.css",
    "start/start.css",
    "digit/digit.css",
    "playground/playground.css",
    "lab/lab.css",
    "training/training.css",
    "restore/restore.css",
    "detect/detect.css",
    "yours/yours.css",
)
SCRIPTS: Final = ("js/page.js", "js/first.js", "js/sliders.js", "js/skip.js", "js/glossary.js", "js/classroom.js")

CSS: Final = _text("css/page.css")
HEAD: Final = "\n".join(
    (
        _plotly_address(),
        f"<style>{_palette_css()}</style>",
        *(f"<style>{_text(name)}</style>" for name in STYLES),
        glossary.data(),
        *(f"<script>{_text(name)}</script>" for name in SCRIPTS),
    )
)
