"""Results: the papers' tables with their numbers and ours side by side, and which of their claims hold here."""

from html import escape
from typing import Any, Final

import gradio as gr

from ..backend.experiments import EXPERIMENTS
from ..backend.reproduce import results
from ..backend.studio import Studio
from .controls import LIGHT, Tab, guarded

INTRO: Final = """The papers' numbers beside ours. **Compare orders, not numbers**: data, nets and budgets differ, and each
table says how. A spread (±) is the standard deviation over seeds. What does not hold is shown like what does, and why a number
is missing stands in the notes below the table."""

UNITS: Final = {"natural", "robust", "mnist", "cifar10"}
"""Columns that hold rates: shown in per cent, as the papers do."""


def figure(value: float | None, column: str) -> str:
    """A number as the papers print it."""
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if column in UNITS else f"{value:.4g}"


def cell(row: dict[str, Any] | None) -> str:
    """Two table cells: the paper's number, and ours with its spread."""
    if row is None:
        return "<td>–</td><td>–</td>"
    paper, ours = figure(row["paper"], row["column"]), figure(row["ours"], row["column"])
    spread = "" if row["spread"] is None else f" <small>± {figure(row['spread'], row['column'])}</small>"
    return f'<td>{paper}</td><td title="{escape(row["note"])}"><b>{ours}</b>{spread}</td>'


def rests_on(rows: list[dict[str, Any]]) -> str:
    """What the numbers rest on: seeds, images, extractors and scales, each once."""

    def every(key: str) -> list[str]:
        return sorted({str(row[key]) for row in rows if row[key] is not None})

    seeds, extractors = every("seeds"), every("extractor")
    told = [f"{'/'.join(seeds)} seed{'s' * (seeds != ['1'])}", f"{'/'.join(every('count'))} images"]
    told += [f"split {'/'.join(every('split'))}", f"models of scale {'/'.join(every('scale'))}"]
    if extractors:
        told.append(f"extractor {', '.join(extractors)}")
    return " · ".join(told)


def table_html(table: dict[str, Any]) -> str:
    """A table of results as HTML: columns of the paper in pairs (paper, ours), then its claims."""
    rows = table["rows"]
    names, columns = (list(dict.fromkeys(row[key] for row in rows)) for key in ("name", "column"))
    held = {(row["name"], row["column"]): row for row in rows}
    head = "".join(f'<th scope="colgroup" colspan="2">{escape(c)}</th>' for c in columns)
    under = '<th scope="col">paper</th><th scope="col">ours</th>' * len(columns)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(cell(held.get((name, c))) for c in columns)}</tr>' for name in names
    )
    claims = "".join(
        f"<li>{'✓ holds' if order['holds'] else '✗ <b>does not hold</b>'}: {escape(order['claim'])} "
        f"<small>(by {order['by']:+.3g})</small></li>"
        for order in table["orders"]
    )
    every = dict.fromkeys(note for row in rows for note in row["note"].split("; ") if note)
    notes = "".join(f"<li>{escape(note)}</li>" for note in every)
    return (
        f'<div class="cem-table" tabindex="0" role="region" aria-label="{escape(table["title"])}"><table>'
        f'<thead><tr><th rowspan="2" scope="col">{escape(table["source"])}</th>{head}</tr><tr>{under}</tr></thead>'
        f"<tbody>{body}</tbody></table></div><ul>{claims}</ul>"
        f"<p>{escape(table['about'])}</p>"
        f"<p>{rests_on(rows)} · made {table['date']} by <code>{escape(table['command'])}</code></p>"
        f"<details><summary>Notes</summary><ul>{notes}</ul></details>"
    )


def shown(target: str) -> str:
    """One table, or how to make it."""
    made = results()
    if target in made:
        return table_html(made[target])
    return f"<p>Not made yet. Make it with <code>python -m cemviz reproduce {escape(target)}</code>.</p>"


def title(target: str) -> str:
    """A table in the menu: where it stands in the papers, and what it is about."""
    row = EXPERIMENTS[target]
    return f"{row.source}: {row.title}"


def overview() -> str:
    """How many of the papers' claims hold, table by table."""
    lines = []
    for table in results().values():
        holds = sum(order["holds"] for order in table["orders"])
        lines.append(f"{table['source']}: {holds} of {len(table['orders'])}")
    return "**Claims that hold here.** " + " · ".join(lines) if lines else ""


def build(session: gr.State, studio: Studio) -> Tab:
    """Make the tab inside `with gr.Tab(...)`."""
    gr.Markdown(INTRO)
    total = gr.Markdown(overview(), elem_id="results-overview")
    first = next(iter(results()), next(iter(EXPERIMENTS)))
    choices = [(title(key), key) for key in EXPERIMENTS]
    target = gr.Dropdown(choices, value=first, label="Table", interactive=True, elem_id="results-target")
    view = gr.HTML(shown(first), elem_id="results-table")
    show = guarded(lambda key: (overview(), shown(key)))
    target.change(show, target, [total, view], **LIGHT)
    return Tab(params={"r.table": target}, draw=(show, [target], [total, view]))
