"""Results: the papers' tables with their numbers and ours side by side, and which of their claims are decided here."""

import gradio as gr

from ...backend.studio import Studio
from ...backend.tables import EXPERIMENTS
from ...backend.tables.reproduce import results
from ..controls import LIGHT, Tab, guarded
from ..selection import Selection
from . import words as say


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """The menu of tables, the table chosen, and how all of them stand."""

    def choices() -> list[tuple[str, str]]:
        made = results()
        return [(say.title(key) + ("" if key in made else " (not made yet)"), key) for key in EXPERIMENTS]

    total = gr.Markdown(say.total(), elem_id="results-total")
    first = next(iter(results()), next(iter(EXPERIMENTS)))
    target = gr.Dropdown(choices(), value=first, label="table", interactive=True, elem_id="results-target")
    view = gr.HTML(say.shown(first), padding=False, elem_id="results-table")
    gr.Markdown(say.INTRO, elem_id="results-intro")
    every = gr.HTML(say.overview(), padding=False, elem_id="results-overview")
    show = guarded(lambda key: (say.total(), say.shown(key), say.overview()))
    target.change(show, target, [total, view, every], **LIGHT)
    return Tab(params={"r.table": target}, draw=(show, [target], [total, view, every]), menus={target: choices})
