"""The page: its tabs in reading order, the address that makes a picture again, and what stops when a visitor leaves."""

import os
import re
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: the page must not call home
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr

from ..backend.studio import Studio
from . import tab_equations, tab_playground, tab_results, tab_robustness
from .controls import LIGHT, Session, Tab
from .landscape import tab as landscape_tab
from .sampling import tab as sampling_tab
from .theme import CSS, HEAD, THEME
from .training import tab as training_tab

TABS: dict[str, tuple[str, Any]] = {
    "playground": ("Playground", tab_playground),
    "landscape": ("Landscape", landscape_tab),
    "sampling": ("Sampling", sampling_tab),
    "training": ("Training", training_tab),
    "robustness": ("Robustness", tab_robustness),
    "results": ("Results", tab_results),
    "equations": ("Equations", tab_equations),
}
"""Key in the address -> title and module, in reading order."""

LAUNCH: dict[str, Any] = {
    "theme": THEME,
    "css": CSS,
    "head": HEAD,
    "ssr_mode": False,  # the views are not tested under server-side rendering
    "run_history": False,  # it would store every visitor's pictures in the browser
    "enable_monitoring": False,
    "footer_links": ["gradio"],
    "max_file_size": "5mb",
    "max_threads": 16,
    "state_session_capacity": 200,
    "share": False,
}

INTRO = """# cemviz
**A classifier that withstands attacks can draw.** Read as an energy-based model, its logits are a landscape: attacks climb it,
adversarial training flattens it, and samplers roll down it. Play the game in the plane, look at the landscape around a digit,
then let a classifier turn noise into pictures."""

LOST = "**This link asks for what is not on this machine:** {}. In its place stands what the page begins with."

# keeps the address current without a request; a default is left out, so that links stay short, but not beside stories, which
# have defaults of their own
WRITE = """(value) => {{
  const address = new URL(location);
  const text = Array.isArray(value) ? value.join(',') : String(value);
  if (text === {default}) address.searchParams.delete('{name}'); else address.searchParams.set('{name}', text);
  history.replaceState(null, '', address);
  return [];
}}"""

SHOW_TAB = """(...args) => {
  const address = new URL(location);
  const open = document.querySelector('button[role=tab][aria-selected=true]');
  if (open) address.searchParams.set('tab', open.dataset.tabId || open.textContent.trim().toLowerCase());
  history.replaceState(null, '', address);
  document.dispatchEvent(new CustomEvent('cemviz-pause'));
  return [];
}"""


PLAIN = re.compile(r"[\w .,-]{0,80}")
"""Text that may come from the address."""


def read(component: gr.components.Component, text: str, choices: list[Any] | None = None) -> Any:
    """A value from the address, made fit for its control, or `gr.skip()` where it is not one.

    Numbers are clamped to the control's range, choices must be among its own, and text is a few plain words: the address is
    a stranger's.

    Args:
        choices: of a menu by now; None takes those it was built with.
    """
    try:
        if isinstance(component, gr.Slider | gr.Number):
            value = float(text)
            if value != value:
                return gr.skip()
            low = component.minimum if component.minimum is not None else -float("inf")
            high = component.maximum if component.maximum is not None else float("inf")
            value = float(min(max(value, low), high))
            # a number's own step, 1 by default, is what its arrows add and no rule for its value
            whole = component.step % 1 == 0 if isinstance(component, gr.Slider) else component.precision == 0
            return int(value) if whole or value.is_integer() else value
        if isinstance(component, gr.Checkbox):
            return {"true": True, "false": False}[text]
        if isinstance(component, gr.Dropdown | gr.Radio | gr.CheckboxGroup):
            offered = component.choices if choices is None else [c if isinstance(c, tuple) else (c, c) for c in choices]
            known = {str(value): value for _, value in offered}
            if getattr(component, "multiselect", False) or isinstance(component, gr.CheckboxGroup):
                if not text:
                    return []
                values = [known[part] for part in text.split(",") if part in known]
                return values or gr.skip()
            return known[text]
        if isinstance(component, gr.Textbox):
            return text if PLAIN.fullmatch(text) else gr.skip()
        return gr.skip()
    except (ValueError, KeyError, OverflowError):
        return gr.skip()


def unread(text: str, value: Any) -> list[str]:
    """The parts of a text in the address that `read` made no use of."""
    if isinstance(value, dict):  # a skip
        return [text] if text else []
    return [part for part in text.split(",") if part not in map(str, value)] if isinstance(value, list) and text else []


def opened(key: str) -> Callable[[Session], None]:
    """The handler that notes which tab is open."""

    def note(held: Session) -> None:
        if held.open is not None:  # else the address was not read yet, and names the tab
            held.open = key

    return note


def first_view(key: str, function: Callable[..., Any], outputs: list[Any]) -> Callable[..., Iterator[Any]]:
    """A tab's first view, made once and only while it is open: a visitor pays for what is looked at."""

    def handler(held: Session, *values: Any) -> Iterator[Any]:
        if held.open != key or key in held.drawn:
            yield {outputs[0]: gr.skip()}
            return
        held.drawn.add(key)
        told = function(*values)
        if isinstance(told, Iterator):
            yield from told
        else:
            yield told

    return handler


def build(studio: Studio | None = None) -> gr.Blocks:
    """Make the page.

    Args:
        studio: device, models and images; None takes the best device.
    """
    studio = studio or Studio()
    with gr.Blocks(title="cemviz", delete_cache=(3600, 7200), analytics_enabled=False) as page:
        session = gr.State(Session(), delete_callback=Session.leave)  # an hour after its visitor has gone
        gr.Markdown(INTRO, elem_id="intro")
        notice = gr.Markdown(visible=False, elem_id="notice")
        built: dict[str, Tab] = {}
        leaves: dict[str, gr.Tab] = {}
        with gr.Tabs(elem_id="tabs") as tabs:
            for key, (title, module) in TABS.items():
                with gr.Tab(title, id=key, elem_id=f"tab-{key}") as leaves[key]:
                    built[key] = module.build(session, studio)
        gr.Markdown(f"Computed on **{studio.device.title}**. Every picture is in the address: share the link, seed included.")

        params = {name: component for tab in built.values() for name, component in tab.params.items()}

        names = {component: name for name, component in params.items()}
        told = [tab.stories for tab in built.values() if tab.stories is not None]
        menus = {component: choices for tab in built.values() for component, choices in tab.menus.items()}

        def refresh() -> dict[Any, Any]:
            return {component: gr.update(choices=choices()) for component, choices in menus.items()}

        def restore(held: Session, request: gr.Request) -> dict[Any, Any]:
            asked, changes = dict(request.query_params), refresh() | {session: held}
            lost: list[str] = []

            def put(component: Any, value: Any) -> None:
                change = value if isinstance(value, dict) else gr.update(value=value)
                changes[component] = changes.get(component, {}) | change

            for stories in told:
                choices = changes.get(stories.menu, {}).get("choices")
                key = read(stories.menu, asked.get(names[stories.menu], ""), choices)
                if isinstance(key, str):
                    for component, value in stories.tell(key).items():
                        put(component, value)
            for name, component in params.items():
                if name in asked:
                    choices = changes.get(component, {}).get("choices")
                    if choices is not None and component not in menus:  # of the story: the address may ask for another model's
                        choices = [*choices, *(choice for choice in component.choices if choice not in choices)]
                        put(component, gr.update(choices=choices))
                    value = read(component, asked[name], choices)
                    put(component, value)
                    lost += [f"`{name}={part if PLAIN.fullmatch(part) else '...'}`" for part in unread(asked[name], value)]
            held.open = asked["tab"] if asked.get("tab") in TABS else held.open or next(iter(TABS))
            changes[notice] = gr.update(value=LOST.format(", ".join(lost)), visible=bool(lost))
            return changes | ({tabs: gr.Tabs(selected=asked["tab"])} if asked.get("tab") in TABS else {})

        set_by_stories = [component for stories in told for component in stories.sets]
        loaded = page.load(
            restore, session, [*dict.fromkeys([*params.values(), *menus, *set_by_stories]), session, notice, tabs], **LIGHT
        )
        how: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}
        for key, tab in built.items():
            if tab.draw is not None:
                function, inputs, outputs = tab.draw
                view = first_view(key, function, outputs), [session, *inputs], outputs
                # an address that names a tab selects it: a second event would send what the first one has changed already
                leaves[key].select(opened(key), session, None, **LIGHT).then(*view, **how)
                if key == next(iter(TABS)):
                    loaded.then(*view, **how)
        for tab in built.values():
            for name, component in tab.params.items():
                default = component.value
                text = ",".join(map(str, default)) if isinstance(default, list) else _js(default)
                left_out = "null" if tab.stories is not None else repr(text)
                component.change(None, [component], None, js=WRITE.format(name=name, default=left_out))
        running = [event for tab in built.values() for event in tab.running]
        # only what goes on by itself ends with its tab; a run that was asked for is there when the visitor comes back
        tabs.select(lambda held: held.stops["playground"].set(), session, None, cancels=running, **LIGHT)
        tabs.select(refresh, None, [*menus], **LIGHT)
        tabs.select(None, None, None, js=SHOW_TAB)
    page.queue(default_concurrency_limit=4, max_size=32)
    return page


def _js(value: Any) -> str:
    """How JavaScript's String() writes this value."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
