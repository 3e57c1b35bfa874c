"""Results: the papers' tables with their numbers and ours side by side, and which of their claims are decided here."""

import gradio as gr

from ...backend.studio import Studio
from ...backend.tables import EXPERIMENTS
from ...backend.tables.reproduce import results
from ..controls import LIGHT, Tab, guarded
from ..selection import Selection
from . import words


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """The menu of tables, the table chosen, and how all of them stand."""

    def choices() -> list[tuple[str, str]]:
        tables = results()
        return [(words.title(key) + ("" if key in tables else " (not made yet)"), key) for key in EXPERIMENTS]

    total = gr.Markdown(words.total(), elem_id="results-total")
    first = next(iter(results()), next(iter(EXPERIMENTS)))
    target = gr.Dropdown(choices(), value=first, label="table", interactive=True, elem_id="results-target")
    view = gr.HTML(words.one_table(first), padding=False, elem_id="results-table")
    gr.Markdown(words.INTRO, elem_id="results-intro")
    by = gr.Radio(
        [(text, key) for key, text in words.ORDERS.items()], value=next(iter(words.ORDERS)), label="order of the tables",
        interactive=True, elem_id="results-by",
    )  # fmt: skip
    every = gr.HTML(words.overview(), padding=False, elem_id="results-overview")
    show = guarded(lambda key, by: (words.total(), words.one_table(key), words.overview(by)))
    for control in (target, by):
        control.change(show, [target, by], [total, view, every], **LIGHT)
    params = {"r.table": target, "r.by": by}
    return Tab(params=params, draw=(show, [target, by], [total, view, every]), menus={target: lambda _: choices()})
