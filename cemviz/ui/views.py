"""The two client-side views of the page: a Plotly figure that never flickers, and the player of chains.

Both are `gr.HTML` with a constant template: an update never touches the DOM, it only calls the view's script with the
new value, which is always one JSON string (gradio would diff nested lists element by element). They are made by
functions, because gradio writes a `.pyi` beside the module of every component subclass. A value equal to the one on
screen is not an update.
"""

import base64
import io
import json
import math
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import gradio as gr
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from .theme import DARK_OF

JS: Final = Path(__file__).parent / "js"
DIGITS: Final = 4  # significant digits of the numbers in a payload


def _script(*names: str) -> str:
    return "\n".join((JS / name).read_text(encoding="utf-8") for name in names)


# ------------------------------------------------------------------------------------------------------ live plot

PLOT_TEMPLATE: Final = '<div class="cem-plot" role="figure"></div>'
PLOT_SCRIPT: Final = _script("plot.js")


def live_plot(
    figure_json: str | None = None, *, height: int = 420, label: str, hover: bool = False, square: bool = False, **kwargs: Any
) -> gr.HTML:
    """Return a Plotly figure of fixed height that is redrawn in place, so that zoom and camera survive every update.

    Update it with `figure.to_json()`; frames that come faster than they can be drawn are dropped. Build figures with
    `template=None` and with the light colours of `cemviz.ui.theme`: on a dark page they are swapped for their dark
    partners, and fonts, axes and backgrounds that the figure leaves open follow the page. Change `layout.uirevision` to
    reset the zoom.

    Args:
        figure_json: a figure as JSON with the keys `data` and `layout`; None shows an empty space.
        height: in pixels; wins over the figure's own height.
        label: what the figure shows, in words, for screen readers.
        hover: whether to emit `hover_point`, at most 8 a second.
        square: keep a plane's shape on a narrow page, where the height follows the width.
        **kwargs: passed on to `gr.HTML`, e.g. `elem_id`.

    Events:
        `view.select(fn)` after a click and `view.hover_point(fn)`: `fn(event: gr.EventData)` reads `event.x`,
        `event.y`, `event.curve` (number of the trace) and `event.index` (of the point; `[row, column]` in a heat map
        or contour).
    """
    return gr.HTML(
        figure_json,
        label=label,
        html_template=PLOT_TEMPLATE,
        js_on_load=PLOT_SCRIPT,
        apply_default_css=False,
        min_height=None if square else height,
        height=height,
        hover=hover,
        square=square,
        dark_of=DARK_OF,
        **kwargs,
    )


# ------------------------------------------------------------------------------------------------------ navigator

NAVIGATOR_SCRIPT: Final = _script("navigate.js")


def navigator() -> gr.HTML:
    """Return what makes links of the form "?tab=..." act in place, and Back and Forward too; nothing of it is seen.

    Events:
        `view.select(fn)`: `fn(event: gr.EventData)` reads `event.query`, name -> text: what the address names now.
    """
    return gr.HTML("", html_template="<span></span>", js_on_load=NAVIGATOR_SCRIPT, apply_default_css=False, elem_id="navigator")


# --------------------------------------------------------------------------------------------------- chain player


def _icon(path: str, name: str = "") -> str:
    return f'<svg class="cem-icon {name}" viewBox="0 0 24 24" aria-hidden="true"><path d="{path}"/></svg>'


def _button(name: str, label: str, key: str, icons: str, attributes: str = "") -> str:
    names = f'aria-label="{label}" title="{label} ({key})"'
    return f'<button type="button" class="cem-{name}" {names} {attributes}>{icons}</button>'


_PLAY_OR_PAUSE: Final = _icon("M8 5v14l11-7z", "cem-icon-play") + _icon("M7 5h3v14H7zM14 5h3v14h-3z", "cem-icon-pause")
_LOOP: Final = _icon("M17 3l4 4-4 4M3 11V9a2 2 0 0 1 2-2h16M7 21l-4-4 4-4M21 13v2a2 2 0 0 1-2 2H3")


_SPEEDS: Final = "".join(
    f'<option value="{speed}"{" selected" if speed == 1 else ""}>{speed}×</option>' for speed in (0.25, 0.5, 1, 2, 4)
)
PLAYER_TEMPLATE: Final = f"""
<div class="cem-player" role="group" tabindex="-1">
  <p class="cem-empty"></p>
  <div class="cem-player-body" hidden>
    <div class="cem-panels"></div>
    <div class="cem-transport" role="group" aria-label="playback">
      <div class="cem-buttons">
        {_button("start", "To the start", "Home", _icon("M17 6l-6 6 6 6M7 6v12"))}
        {_button("back", "One step back", "←", _icon("M14 6l-6 6 6 6"))}
        {_button("play", "Play", "space", _PLAY_OR_PAUSE)}
        {_button("step", "One step", "→", _icon("M10 6l6 6-6 6"))}
        {_button("end", "To the end", "End", _icon("M7 6l6 6-6 6M17 6v12"))}
      </div>
      <input class="cem-scrub" type="range" min="0" max="0" value="0" aria-label="step">
      <span class="cem-counter"></span>
      <div class="cem-buttons">
        <select class="cem-speed" aria-label="speed">{_SPEEDS}</select>
        {_button("loop", "Loop", "start over at the end", _LOOP, 'aria-pressed="false"')}
      </div>
    </div>
    <div class="cem-details">
      <table class="cem-numbers"></table>
      <div class="cem-curves">
        <ul class="cem-legend"></ul>
        <div class="cem-charts"></div>
      </div>
    </div>
    <p class="cem-status" aria-live="polite"></p>
  </div>
</div>
"""
PLAYER_SCRIPT: Final = _script("chart.js", "sphere.js", "player.js")


def chain_player(
    payload: str | None = None, *, label: str, empty: str = "No trajectory yet.", poster: str = "", **kwargs: Any
) -> gr.HTML:
    """Return a player of chains: pictures, numbers and curves over K+1 steps, without any request while it plays.

    Update it with the string of `player_payload`. If the payload asks to play, it begins at the first step; else an update with
    the same number of steps keeps the step and the chain on screen, and another shows the last step.

    Args:
        payload: from `player_payload`; None shows `empty`.
        label: name of the whole group for screen readers.
        empty: what to say while there is no payload.
        poster: id of data of the page whose last pictures stand there until then, see `showPoster`.
        **kwargs: passed on to `gr.HTML`, e.g. `elem_id`.

    Events (only after a person's action while paused, 150 ms after the last one):
        `view.frame(fn)`: `fn(event: gr.EventData)` reads `event.k`; `view.chain(fn)`: reads `event.index`.
    """
    return gr.HTML(
        payload,
        label=label,
        html_template=PLAYER_TEMPLATE,
        js_on_load=PLAYER_SCRIPT,
        apply_default_css=False,
        empty=empty,
        poster=poster,
        **kwargs,
    )


@dataclass(frozen=True, slots=True)
class Panel:
    """One side of the player: B chains over T = K+1 steps, all from one model and one sampler.

    Attributes:
        title: e.g. "RCS · mnist-at".
        frames: uint8 pictures, shape (T, B, H, W, C) or (T, B, H, W), with C 1 or 3.
        series: named quantities, each of shape (T, B), or (T,) where one number holds for all chains; a value that does not
            exist is NaN and leaves a gap.
        labels: B words about where each chain starts, e.g. "asked: 3".
        final: B words about where it ends, e.g. "predicted 3 (0.98)".
        note: a sentence under the pictures.
        about: a line that stands behind the title.
        plane: the chains' unit features in two dimensions, (T, B, 2), within the unit disc; None draws no map of them.
        landmarks: words -> a place on the same plane, (x, y).
    """

    title: str
    frames: NDArray[np.uint8]
    series: Mapping[str, ArrayLike] = field(default_factory=dict)
    labels: Sequence[str] | None = None
    final: Sequence[str] | None = None
    note: str = ""
    about: str = ""
    plane: ArrayLike | None = None
    landmarks: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check all shapes against those of `frames`.

        Raises:
            ValueError: names the panel, the value and the shape that was expected.
        """
        _check_frames(self.frames, f"panel {self.title!r}: frames")
        steps, chains = self.frames.shape[:2]
        for name, values in self.series.items():
            shape = np.shape(values)
            if shape not in ((steps, chains), (steps,)):
                raise ValueError(
                    f"panel {self.title!r}: series {name!r} has shape {shape}, expected {(steps, chains)} or {(steps,)}"
                )
        for name, words in (("labels", self.labels), ("final", self.final)):
            if words is not None and len(words) != chains:
                raise ValueError(f"panel {self.title!r}: {len(words)} {name} for {chains} chains")
        if self.plane is None:
            if self.landmarks:
                raise ValueError(f"panel {self.title!r}: landmarks without a plane to draw them on")
            return
        if np.shape(self.plane) != (steps, chains, 2):
            raise ValueError(f"panel {self.title!r}: plane has shape {np.shape(self.plane)}, expected {(steps, chains, 2)}")
        for name, place in (("plane", self.plane), *((f"landmark {name!r}", at) for name, at in self.landmarks.items())):
            if np.shape(place)[-1:] != (2,) or not (np.hypot(*np.moveaxis(np.asarray(place, float), -1, 0)) <= 1.001).all():
                raise ValueError(f"panel {self.title!r}: {name} holds a place that is not (x, y) within the unit disc")


def player_payload(
    panels: Sequence[Panel],
    *,
    charts: Sequence[str] | None = None,
    axis: Mapping[str, str] | None = None,
    limits: Mapping[str, tuple[float, str]] | None = None,
    seed: int | None = None,
    autoplay: bool = False,
    number: int = 0,
) -> str:
    """Return one or two panels as the JSON string that `chain_player` plays.

    Args:
        panels: one, or two that share steps and picture size (chain b of both starts at the same point).
        charts: names of the series to draw, in order; None draws all. The others appear as numbers only.
        axis: what a chart's vertical axis means, with its unit, e.g. {"angle (deg)": "between the two gradients"}.
        limits: per chart a value and its label, drawn as a dashed line, e.g. {"distance to x0": (6.0, "β = 6")}.
            A limit that is not finite is left out.
        seed: of the run; travels along.
        autoplay: start to play at the first step, unless the visitor prefers reduced motion.
        number: of the run; a view takes no notice of a value that equals the one it has.

    Raises:
        ValueError: no or more than two panels, panels that do not fit together, or a name that no panel has.
    """
    if not 1 <= len(panels) <= 2:
        raise ValueError(f"{len(panels)} panels: the player shows one or two")
    first = panels[0].frames
    for panel in panels[1:]:
        if (len(panel.frames), panel.frames.shape[2:]) != (len(first), first.shape[2:]):
            raise ValueError(
                f"panels differ in steps or picture size: {first.shape} and {panel.frames.shape}, both (T, B, H, W, C)"
            )
    series = list(dict.fromkeys(name for panel in panels for name in panel.series))
    for option, names in (("charts", charts), ("axis", axis), ("limits", limits)):
        if unknown := [name for name in names or () if name not in series]:
            raise ValueError(f"{option}: no panel has the series {unknown}; there are {series}")
    height, width = first.shape[2:4]
    payload = {
        "steps": len(first),
        "image": {"height": height, "width": width, "channels": first.shape[4] if first.ndim == 5 else 1},
        "panels": [_panel(panel) for panel in panels],
        "limits": {
            name: {"value": value, "label": label} for name, (value, label) in (limits or {}).items() if math.isfinite(value)
        },
        "charts": list(series if charts is None else charts),
        "axis": dict(axis or {}),
        "seed": seed,
        "autoplay": autoplay,
        "number": number,
    }
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "title": panel.title,
        "chains": panel.frames.shape[1],
        "sprite": sprite(panel.frames),
        "labels": None if panel.labels is None else list(panel.labels),
        "final": None if panel.final is None else list(panel.final),
        "series": {name: _numbers(values) for name, values in panel.series.items()},
        "note": panel.note,
        "about": panel.about,
        "map": None if panel.plane is None else {"places": _places(panel.plane), "landmarks": _marks(panel.landmarks)},
    }


def _numbers(values: ArrayLike) -> list[list[float | None]]:
    """Return values of shape (T, B) as B lists of T short numbers, with None where one is not finite; (T,) as one such list."""
    by_chain = np.asarray(values, dtype=float).reshape(len(values), -1).T
    return [[float(f"{v:.{DIGITS}g}") if math.isfinite(v) else None for v in chain] for chain in by_chain.tolist()]


def _places(plane: ArrayLike) -> list[list[list[float]]]:
    """Return places of shape (T, B, 2) as B lists of T pairs, to a thousandth of the radius."""
    return np.asarray(plane, dtype=float).round(3).swapaxes(0, 1).tolist()


def _marks(landmarks: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    return [{"name": name, "at": [round(float(v), 3) for v in at]} for name, at in landmarks.items()]


def sprite(frames: NDArray[np.uint8]) -> str:
    """Return all pictures as one lossless PNG data URL: step t is row t, chain b is column b.

    Args:
        frames: uint8 of shape (T, B, H, W, C) or (T, B, H, W), with C 1 or 3.
    """
    _check_frames(frames, "frames")
    encoded, owner = _SPRITES.get(id(frames), ("", None))
    if owner is not None and owner() is frames:
        return encoded
    steps, chains, height, width = frames.shape[:4]
    sheet = frames.reshape(steps, chains, height, width, -1).swapaxes(1, 2).reshape(steps * height, chains * width, -1)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(sheet[..., 0] if sheet.shape[2] == 1 else sheet)).save(buffer, "PNG")
    encoded = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    _SPRITES[id(frames)] = encoded, weakref.ref(frames)
    weakref.finalize(frames, _SPRITES.pop, id(frames), None)
    return encoded


_SPRITES: dict[int, tuple[str, Any]] = {}
"""Pictures that are still there, by identity: what is remembered of a run is shown to many, and encoded once."""


def _check_frames(frames: NDArray[np.uint8], name: str) -> None:
    if frames.dtype != np.uint8:
        raise ValueError(f"{name}: dtype {frames.dtype}, expected uint8 (round and scale pictures in [0, 1] by 255)")
    if frames.ndim not in (4, 5) or 0 in frames.shape or (frames.ndim == 5 and frames.shape[4] not in (1, 3)):
        raise ValueError(f"{name}: shape {frames.shape}, expected (T, B, H, W) or (T, B, H, W, C) with C 1 or 3")
