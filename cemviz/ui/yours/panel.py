"""The panel of a visitor's own net: what is given, answers that no file holds, and how the net was understood."""

import gradio as gr

from ...backend.foreign.reading import hosted
from ...backend.studio import Studio
from ...data.datasets import DATASETS
from ..controls import HEAVY, LIGHT, NEWEST, TAKING
from ..wiring import Wiring
from . import handlers as do
from . import words
from .words import GUESS

GO = """(link) => {
  if (!link) return [];
  const way = Object.assign(document.createElement('a'), { href: link, hidden: true });
  document.body.append(way);
  way.click();
  way.remove();
  document.querySelector('#yours > button[aria-expanded=true], #yours > .label-wrap.open')?.click();
  return [];
}"""
"""Follows a link of the page in place, and closes the panel, which lies above the picture."""


def build(session: gr.State, studio: Studio) -> None:
    """Lay the panel out and wire it."""
    on_server = hosted()
    with gr.Accordion(words.TITLE, open=False, elem_id="yours"):
        gr.Markdown(f"{words.INTRO} {words.HOSTED if on_server else words.LOCAL}")
        file = gr.File(label="weights", height=110, elem_id="yours-file")
        place = "hf:USER/REPO or hf:USER/REPO/FILE"
        repository = gr.Textbox(label="or a repository of the Hub", placeholder=place, elem_id="yours-hub", max_lines=1)
        status = gr.Markdown("", elem_id="yours-status")
        with gr.Row():
            rows = [("guess", GUESS), *((row.title, name) for name, row in DATASETS.items())]
            dataset = gr.Dropdown(rows, value=GUESS, label="trained on", min_width=150, interactive=True, elem_id="yours-set")
            scale, threat = (
                gr.Dropdown(
                    [(text, name) for name, text in choices.items()], value=GUESS, label=label, allow_custom_value=True,
                    min_width=150, interactive=True, elem_id=f"yours-{part}",
                )
                for part, label, choices in (("scale", "normalisation", words.SCALES), ("threat", "robust in", words.THREATS))
            )  # fmt: skip
        arch = gr.Textbox(
            label="architecture, where shapes do not tell", placeholder="timm:NAME or torchvision:NAME", max_lines=1,
            elem_id="yours-arch",
        )  # fmt: skip
        with gr.Row():
            begin = gr.Button("Look at it", variant="primary", elem_id="yours-go", min_width=100)
            halt = gr.Button("Stop", elem_id="yours-stop", min_width=80)
            keep = gr.Button("Keep it", visible=False, elem_id="yours-keep", min_width=80)
        link = gr.Textbox(visible=False)
    parts = {
        "file": file, "repository": repository, "dataset": dataset, "scale": scale, "threat": threat, "arch": arch,
        "status": status, "link": link, "keep": keep,
    }  # fmt: skip
    wire = Wiring(session, studio, parts)
    wire([file.upload, file.clear], do.dropped, ["file"], ["status"], **TAKING)
    brought = wire([begin.click, file.upload, repository.submit, arch.submit], do.go, do.RUN, do.SHOWN, **NEWEST, **HEAVY)
    brought.success(None, link, None, js=GO)
    wire(halt.click, do.halt, [], ["status"], cancels=[brought], **LIGHT)
    wire(keep.click, do.keep, [], ["status", "keep"], **TAKING)
