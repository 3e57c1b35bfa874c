"""The page: its tabs in reading order, the address that makes a picture again, and what stops when a visitor leaves."""

import json
import os
from functools import partial
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: the page must not call home
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from ..backend import own, store
from ..backend.studio import Studio
from ..data import images
from . import selection
from .address import Address
from .controls import HEAVY, LAST, LIGHT, LINE, NEWEST, TAKING, WAITING, Session, Tab, by_hand
from .detect import tab as detect_tab
from .digit import tab as digit_tab
from .door import Door
from .equations import tab as tab_equations
from .first import FirstFiles, FirstViews
from .head import Document, EarlyHead
from .health import Health
from .lab import tab as lab_tab
from .landscape import tab as landscape_tab
from .lean import keep_no_copies
from .manners import Manners, Page
from .playground import tab as playground_tab
from .restore import tab as restore_tab
from .results import tab as tab_results
from .robustness import tab as robustness_tab
from .room import Room
from .sampling import tab as sampling_tab
from .signatures import read_once
from .start import tab as start_tab
from .theme import CSS, HEAD, THEME
from .training import tab as training_tab
from .views import navigator
from .wiring import Wiring, at_work
from .yours import panel

TABS: dict[str, tuple[str, Any]] = {
    "start": ("Start", start_tab),
    "digit": ("Your digit", digit_tab),
    "playground": ("Playground", playground_tab),
    "landscape": ("Landscape", landscape_tab),
    "sampling": ("Sampling", sampling_tab),
    "lab": ("Lab", lab_tab),
    "training": ("Training", training_tab),
    "robustness": ("Robustness", robustness_tab),
    "restore": ("Restore", restore_tab),
    "detect": ("Detect", detect_tab),
    "results": ("Results", tab_results),
    "equations": ("Equations", tab_equations),
}
"""Key in the address -> title and module, in reading order."""

LAUNCH: dict[str, Any] = {
    "theme": THEME,
    "css": CSS,
    "ssr_mode": False,  # the views are not tested under server-side rendering
    "run_history": False,  # it would store every visitor's pictures in the browser
    "enable_monitoring": False,
    "footer_links": ["gradio"],
    "max_file_size": "256mb",  # of weights; a picture is bounded by `uploads.content`
    "max_threads": 3 * WAITING,  # who waits for the device holds one; light handlers find one free
    "state_session_capacity": 1000,
    "share": False,
}

KEPT = (60, 600)
"""Seconds between two looks for files that browsers were handed, and after which these go: they are made when asked for."""

INTRO = """# cemviz
Adversarial training is energy-based modelling: attacks climb a landscape, training flattens it, samplers roll down it."""


def launch_options(studio: Studio, views: FirstViews) -> dict[str, Any]:
    """Arguments of `launch`; the head holds what plays before the page around it is there.

    Args:
        studio, views: that the page was built with.
    """
    middleware = [
        Middleware(Health, studio=studio),
        Middleware(FirstFiles, views=views),
        Middleware(Door, visitors=studio.limits.visitors),
        Middleware(Room, most=studio.limits.disk * 2**20),
        Middleware(Document),
        Middleware(GZipMiddleware, minimum_size=2000, compresslevel=5),
        Middleware(EarlyHead, html=f"{HEAD}\n{start_tab.head()}"),
        Middleware(Manners),
    ]
    return LAUNCH | {"app_kwargs": {"middleware": middleware}}


WAIT = 0.01
"""Seconds between two looks of gradio's queue for work; its own millisecond takes 6 % of a core of a server at rest."""

ESTIMATES = 60.0
"""Seconds between two of gradio's estimates of a wait: of twenty presses each would tell of all others, before what it says."""

OPEN_TAB = "document.querySelector('button[role=tab][aria-selected=true]')?.dataset.tabId ?? null"
"""The tab on screen, in JavaScript. The server cannot know: presses in quick succession may reach it in any order."""

SHOW_TAB = f"""(...args) => {{
  const address = new URL(location);
  const tab = {OPEN_TAB};
  const before = address.searchParams.get('tab') ?? 'start';
  if (tab && tab !== before) {{
    address.searchParams.set('tab', tab);
    history.pushState(null, '', address);
    document.dispatchEvent(new CustomEvent('cemviz-address'));
  }}
  if (!cemvizOpens(tab)) document.dispatchEvent(new CustomEvent('cemviz-pause'));
  return [];
}}"""
"""A tab that is opened is a place that Back leaves, and nothing plays on behind it; see `js/first.js` for those with a file."""


def build(studio: Studio | None = None, views: FirstViews | None = None) -> gr.Blocks:
    """Make the page.

    Args:
        studio: device, models and images; None takes the best device.
        views: takes the tabs' first views, for `launch_options`.
    """
    studio = studio or Studio()
    views = FirstViews(studio) if views is None else views
    read_once()
    keep_no_copies()
    own.enter(images.root(studio.data))
    with Page(title="cemviz", delete_cache=KEPT, analytics_enabled=False) as page:
        session = gr.State(Session(views), delete_callback=Session.leave)  # when its visit ends, see `visits`
        gr.Markdown(INTRO, elem_id="intro")
        panel.build(session, studio)
        notice = gr.Markdown(visible=False, elem_id="notice")
        restored = gr.Checkbox(False, visible=False)  # sent as true by a browser that has what the address asks for
        link = navigator()
        shared = selection.build(studio)
        built: dict[str, Tab] = {}
        leaves: dict[str, gr.Tab] = {}
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            for key, (title, module) in TABS.items():
                with gr.Tab(title, id=key, elem_id=f"tab-{key}") as leaves[key]:
                    built[key] = module.build(session, studio, shared)
        gr.Markdown(
            f"Computed on **{studio.device.title}**. Every picture is in the address: share the link, seed included.",
            elem_id="foot",
        )
        if faults := store.left_out():
            gr.Markdown("**Left out:** " + "  \n".join(faults), elem_id="left-out")
        open_tab, filed = gr.Textbox(visible=False), gr.Textbox(visible=False)
        redraw = {key: gr.Number(0, visible="hidden") for key in built}
        gr.HTML(selection.style({key: tab.looks for key, tab in built.items()}), padding=False, elem_id="selection-style")
        menus = shared.menus(studio)
        address = Address(studio, built, shared, menus, session, notice, restored, open_tab, filed, tabs, redraw)
        loaded = page.load(address.restore, session, address.outputs, **LIGHT)
        linked = link.select(address.go, address.inputs, address.outputs, **NEWEST, **LIGHT)
        _first_views(studio, built, leaves, address, (loaded, linked), views)
        address.follow()
        running = [event for tab in built.values() for event in tab.running]
        # only what goes on by itself ends with its tab; a run that was asked for is there when the visitor comes back
        tabs.select(address.refresh, session, [address.open, *address.menus], cancels=running, **LAST, **LIGHT)
        tabs.select(None, None, None, js=SHOW_TAB)
    page.queue(default_concurrency_limit=4, max_size=LINE, status_update_rate=ESTIMATES)
    page._queue.sleep_when_free = WAIT
    return page


def _first_views(
    studio: Studio, built: dict[str, Tab], leaves: dict[str, gr.Tab], address: Address, read: tuple[Any, ...], views: FirstViews
) -> None:
    """Draw each tab when it is first open, the one that is open when the address was read, and what another selection changes.

    Only a view that is to be made joins the queue. Gradio's client loses an event that joins while it is told that the one
    before was the last, so an event that finds nothing to do must not stand in the way of one that does.
    """
    how: dict[str, Any] = HEAVY | {"concurrency_id": "views"}  # one that waits for the device holds up no other's
    session, *values = address.inputs
    for key, tab in built.items():
        number, opens = address.redraw[key], leaves[key].select
        if tab.draw is not None:
            draws = at_work(partial(number.change, *tab.draw, **how), f"cemvizRuns('{key}', {{}})")
            if tab.alike:
                views.add(key, tab, draws)
                outputs, asks = tab.draw[2], gr.Number(0, visible="hidden")
                prefix = next(iter(tab.params)).split(".")[0] + "."
                arguments = ", ".join(map(json.dumps, (key, len(outputs), prefix, address.begun(key))))
                first = f"(...values) => cemvizFirst({arguments}, ...values)"
                leaves[key].select(None, [*tab.looks.values(), asks], [*outputs, asks], js=first)
                opens = asks.change
        js = "(session, restored, _, ...rest) => [session, restored, cemvizFiled(), ...rest]"
        inputs = [session, address.restored, address.filed, *values]
        opens(address.opening(key), inputs, [number, address.open], js=js, **LAST, **LIGHT)
    of_open_tab: dict[str, Any] = {
        "inputs": [session, address.open, address.filed, *values],
        "outputs": [address.open, *address.redraw.values()],
        "js": f"(session, _, __, ...rest) => {{ cemvizAsked(1); return [session, {OPEN_TAB}, cemvizFiled(), ...rest]; }}",
        **LAST,
        **LIGHT,
    }
    heard = {"js": "() => { cemvizAsked(-1); return []; }"}
    for event in read:  # after it the browser has what the address asks for; a tab that was opened before was not drawn
        event.then(address.begin, **of_open_tab).then(None, None, None, **heard)
    chosen = address.selection
    nets = [chosen.a, chosen.b, chosen.picture, chosen.label]
    for leader, net in (("a", chosen.a), ("b", chosen.b)):
        followers = [*(part for part in nets if part is not net), chosen.note]
        follow = selection.follower(studio, chosen, leader)
        event = at_work(partial(by_hand(net), follow, nets, followers, **LAST, **LIGHT), "cemvizAsked({})")
        for tab in built.values():
            if tab.follow is not None:
                event = event.then(*tab.follow, **LAST, **LIGHT)
        event.then(address.selected, **of_open_tab).then(None, None, None, **heard)
    for part in (chosen.picture, chosen.label, chosen.seed):
        by_hand(part)(address.selected, **of_open_tab).then(None, None, None, **heard)
    by_hand(chosen.picture)(None, None, chosen.note, js="() => ''")  # what was done to an upload is told of no other picture
    wire = Wiring(session, studio, {**chosen.parts, "note": chosen.note})
    uploaded = wire.click(chosen.upload, selection.take_upload, ["a"], ["x", "note"], {"data": "data"}, **TAKING)
    uploaded.success(address.selected, **of_open_tab).then(None, None, None, **heard)
