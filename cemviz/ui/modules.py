"""Views whose script is an ES module beside its Python file: served as it is, imported by the browser, tested by its tests."""

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

SCRIPTS = sorted(Path(__file__).parent.rglob("*.js"))
"""All scripts of the page: modules import each other across folders."""

gr.set_static_paths([str(script) for script in SCRIPTS])


def served(script: Path) -> str:
    """Where a script of the page is served: relative, so that it works below a root path."""
    return f"gradio_api/file={escape(quote(script.as_posix()))}"


def shipped(file: Path) -> str:
    """Where a file is served that stays as it is while the page runs."""
    gr.set_static_paths([str(file)])
    return served(file)


def module_view(source: str, template: str, arguments: str, value: str | None, **kwargs: Any) -> gr.HTML:
    """Return a view whose module exports `mount`, called once it is on the page.

    Args:
        source: from `served`.
        template: HTML that `mount` fills.
        arguments: what `mount` takes, of element, props, trigger and watch.
        value: a string; `props.value`, and `watch("value", f)` tells of others.
        **kwargs: passed on to `gr.HTML`.
    """
    # a view's script runs inside one of gradio's own, against whose address a plain import would be resolved
    module = f"import(new URL('{source}', document.baseURI))"
    script = f"{module}.then(({{ mount }}) => mount{arguments}).catch((error) => console.error(error));"
    return gr.HTML(value, html_template=template, js_on_load=script, apply_default_css=False, **kwargs)
