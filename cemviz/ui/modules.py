"""Views whose script is an ES module beside its Python file: served as it is, imported by the browser, tested by its tests."""

from html import escape
from pathlib import Path
from urllib.parse import quote

import gradio as gr

HERE = Path(__file__).parent


def served(file: Path) -> str:
    """Where a script of the page is served: relative, so that it works below a root path; its whole folder is.

    Modules import each other by relative paths, so that all folders of the page's scripts are served as they lie.
    """
    return address(file, file.parent)


def address(file: Path, *allowed: Path) -> str:
    """Where a file that stays as it is while the page runs is served.

    Args:
        allowed: files or folders that may be read; none allows this file alone.
    """
    gr.set_static_paths([str(path) for path in allowed or (file,)])
    return f"gradio_api/file={escape(quote(file.as_posix()))}"


def module_view(source: str, template: str, given: str, value: str | None, **kwargs: str) -> gr.HTML:
    """Return a view whose module exports `mount`, called once it is on the page.

    Args:
        source: from `served`.
        template: HTML that `mount` fills.
        given: what `mount` takes, of element, props, trigger and watch.
        value: a string; `props.value`, and `watch("value", f)` tells of others.
        **kwargs: passed on to `gr.HTML`.
    """
    # a view's script runs inside one of gradio's own, against whose address a plain import would be resolved
    module = f"import(new URL('{source}', document.baseURI))"
    script = f"{module}.then(({{ mount }}) => mount{given}).catch((error) => console.error(error));"
    return gr.HTML(value, html_template=template, js_on_load=script, apply_default_css=False, **kwargs)
