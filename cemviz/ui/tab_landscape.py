"""Landscape: the energy around an image, several models on one scale, and any point of it looked at."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from ..backend import assets
from ..backend.kinds import KINDS
from ..backend.landscape import MOST_MODELS, point
from ..backend.presets import LANDSCAPE, lacking, playable
from ..backend.requests import SELF, LandscapeRequest
from ..backend.studio import Studio
from ..data.datasets import dataset
from . import words_landscape as say
from .controls import HEAVY, LIGHT, STOPPED, Changes, Session, Stories, Tab, guarded, guarded_stream
from .drawing import draw, drawn, follow
from .plots_landscape import LEVELS, legend, shared, surface
from .views import live_plot

DIRECTIONS = {"random": "random × random (JEAT Fig. 2)", "adversarial": "adversarial × random"}


def build(session: gr.State, studio: Studio) -> Tab:
    """Controls, panels and the point looked at."""
    known = {name: card for name, card in studio.cards().items() if say.viewable(card)}
    some = next(iter(known.values()), None)
    first = say.pair(known, "mnist") or (say.pair(known, some.data, some.kind) if some else [])
    data = known[first[0]].data if first else "mnist"
    pictures = say.choices(data)
    start = next((v for v in ("grid:4", "grid:0", "gallery:0") if v in dict(pictures).values()), "test")

    def drawable() -> list[str]:
        return [name for name, card in studio.cards().items() if say.viewable(card)]

    def stories() -> list[tuple[str, str]]:
        return [(preset.title, key) for key, preset in playable(LANDSCAPE, studio.cards()).items()]

    intro = gr.Markdown(say.STORY[known[first[0]].kind if first else "classifier"], elem_id="land-story")
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            story = gr.Dropdown(
                stories(),
                value=next((key for _, key in stories()), None),
                label="story",
                interactive=True,
                elem_id="land-preset",
            )
            waiting = gr.Markdown("  \n".join(lacking(LANDSCAPE, known)), elem_id="land-lacking")
            models = gr.Dropdown(
                list(known), value=first, multiselect=True, max_choices=MOST_MODELS, label="models", interactive=True,
                info="up to 4 of one data set and kind", elem_id="land-models",
            )  # fmt: skip
            image = gr.Dropdown(pictures, value=start, label="image", interactive=True, elem_id="land-image")
            index = gr.Number(
                0, label="number of the test image", minimum=0, precision=0, interactive=True, visible=start == "test",
                elem_id="land-index",
            )  # fmt: skip
            anchor = gr.Dropdown(
                say.anchors(data), value=SELF, label="anchor x′", info="of encoders: what x is paired with", interactive=True,
                visible=False, elem_id="land-anchor",
            )  # fmt: skip
            other = gr.Number(
                0, label="number of the anchor, a test image", minimum=0, precision=0, interactive=True, visible=False,
                elem_id="land-other",
            )  # fmt: skip
            energy = gr.Radio(
                _named(KINDS["classifier"].view.energies),
                value="joint",
                label="energy",
                interactive=True,
                elem_id="land-energy",
            )
            directions = gr.Radio(_named(DIRECTIONS), value="random", label="directions", interactive=True, elem_id="land-dirs")
            levels = gr.Radio(_named(LEVELS), value="relative", label="levels", interactive=True, elem_id="land-levels")
            radius = gr.Slider(
                0.5, 12, dataset(data).radius, step=0.5, label="radius of the window", info="L2, pixel units",
                interactive=True, elem_id="land-radius",
            )  # fmt: skip
            seed = gr.Number(
                0, label="seed", info="of the random directions", minimum=0, precision=0, interactive=True, elem_id="land-seed"
            )
            with gr.Row():
                run = gr.Button("Draw", variant="primary", elem_id="land-run", min_width=100)
                halt = gr.Button("Stop", elem_id="land-stop", min_width=100)
        with gr.Column(scale=4, min_width=320):
            scale = gr.HTML("", elem_id="land-scale", padding=False)
            slots = []
            with gr.Row():
                for k in range(MOST_MODELS):
                    with gr.Column(min_width=300, visible=k < max(len(first), 1)) as column:
                        title = gr.Markdown(elem_id=f"land-title-{k}")
                        view = live_plot(height=400, label=f"Energy around the image, panel {k + 1}", elem_id=f"land-plot-{k}")
                        line = gr.Markdown(elem_id=f"land-caption-{k}")
                    slots.append((column, title, view, line))
            status = gr.Markdown("", elem_id="land-status")
            gr.Markdown("### The point looked at\nClick into a panel, or give its coordinates.")
            with gr.Row(equal_height=True):
                a = gr.Number(0, label="a", step=0.1, interactive=True, elem_id="land-a", min_width=90)
                b = gr.Number(0, label="b", step=0.1, interactive=True, elem_id="land-b", min_width=90)
                plane = gr.Dropdown(
                    list(known), value=first[0] if first else None, label="in the plane of", interactive=True,
                    visible=False, elem_id="land-plane", min_width=180,
                )  # fmt: skip
                look = gr.Button("Look", elem_id="land-look", min_width=90, scale=0)
            with gr.Row():
                with gr.Column(scale=2, min_width=300):
                    picture = gr.Image(
                        format="png", label="the image (left), the point (right)", interactive=False, visible=False, height=250,
                        buttons=["download"], elem_id="land-picture", alt_text="the image, and the point beside it",
                    )  # fmt: skip
                with gr.Column(scale=3, min_width=320):
                    table = gr.HTML("", elem_id="land-table", padding=False)
    gr.Markdown(say.HOW, latex_delimiters=[])

    shown, spot = [energy, levels], [a, b, plane]
    asked = [models, image, index, anchor, other, directions, radius, seed]
    fields = [intro, waiting, image, index, anchor, other, energy, *spot]
    outputs = [*fields, scale, status, picture, table, *[part for slot in slots for part in slot]]

    def panels(held: Session, by: str, kind: str, x: float, y: float, of: str | None) -> Changes:
        """All figures from what the session drew, on one scale, with the point marked."""
        request, done, missing = drawn(held)
        common = shared(done, by, kind)
        changes: Changes = {slot[0]: gr.Column(visible=k < len(done)) for k, slot in enumerate(slots)}
        for (_, title, view, line), panel in zip(slots, done, strict=False):
            marked = (request.directions == "random" or panel.model == of) and None not in (x, y)
            figure = surface(panel, common, request.directions, (x, y) if marked else None)
            changes |= {title: f"**{panel.title}**", view: figure, line: say.caption(panel, by)}
        said = "  \n".join([*missing, say.report(studio, request, done, by)])
        return changes | {scale: legend(common), status: said}

    def details(held: Session, x: float, y: float, of: str | None) -> Changes:
        """Picture and table of a point."""
        request, done, _ = drawn(held)
        found = point(studio, request, x, y, of if of in [panel.model for panel in done] else done[0].model)
        shot = None if found.pixels is None else say.enlarged(found)
        return {picture: gr.Image(value=shot, visible=shot is not None), table: say.told(found)}

    def go(held: Session, by: str, kind: str, x: float, y: float, of: str | None, *values: Any) -> Iterator[Changes]:
        key, chosen, name, number, paired, paired_number, *rest = values
        if not chosen:
            yield {status: "Choose at least one model." if known else say.NO_MODELS}
            return
        request = LandscapeRequest(
            tuple(chosen),
            f"test:{number}" if name == "test" else name,
            side=assets.SIDE,
            anchor=f"test:{paired_number}" if paired == "test" else paired,
            **dict(zip(("directions", "radius", "seed"), rest, strict=True)),
        )
        of = of if of in chosen else chosen[0]
        cards = studio.cards()
        kind_of = cards[of].kind if of in cards else "classifier"
        view = KINDS[kind_of].view
        pairs = view.paired
        of_data = cards[of].data if of in cards else data
        fitted = {
            intro: say.STORY.get(kind_of, ""),
            waiting: prose(key, chosen),
            image: gr.update(choices=say.choices(of_data)),
            anchor: gr.update(choices=say.anchors(of_data), visible=pairs),
            other: gr.update(visible=pairs and paired == "test"),
            energy: gr.update(choices=_named(view.energies)),
            index: gr.update(visible=name == "test"),
            plane: gr.update(value=of, visible=request.directions == "adversarial"),
        }
        yield fitted  # first, so that the number of a test image can be given even where there is none
        for item in draw(studio, held, request):
            if isinstance(item, str):
                yield {status: item}
                continue
            changes = panels(held, by, kind, x, y, of)
            for column, title, view, line in slots[len(drawn(held)[1]) : len(request.models)]:  # keeps the place of what comes
                changes |= {column: gr.Column(visible=True), title: "computing ...", view: None, line: ""}
            yield changes
        if held.held.get("landscape", (None,))[0] is request:  # else it was stopped before the first panel
            yield panels(held, by, kind, x, y, of)
            yield details(held, x, y, of)

    def looked(held: Session, *values: Any) -> Changes:
        return panels(held, *values) | details(held, *values[2:])

    def picked(held: Session, by: str, kind: str, k: int, x: float, y: float) -> Changes:
        at = float(f"{x:.3g}"), float(f"{y:.3g}"), drawn(held)[1][k].model
        return looked(held, by, kind, *at) | dict(zip(spot, at, strict=True))

    def prose(key: str | None, chosen: list[str]) -> str:
        """A story's words, as long as its models are chosen, and what other stories still wait for."""
        own = [LANDSCAPE[key].story] if key in LANDSCAPE and LANDSCAPE[key].request.models == tuple(chosen) else []
        return "  \n".join([*own, *lacking(LANDSCAPE, studio.cards())])

    def followed(key: str | None, chosen: list[str]) -> Changes:
        kept, now = follow(studio, chosen)
        if now is None:
            return {waiting: prose(key, chosen), status: ""}
        cards = studio.cards()
        changes = {waiting: prose(key, kept), models: kept, status: f"Now all models are {cards[kept[0]].kind}s of {now}."}
        if cards[chosen[0]].data == now:
            return changes
        offered = say.choices(now)
        return changes | {
            image: gr.Dropdown(choices=offered, value=offered[0][1]),
            anchor: gr.Dropdown(choices=say.anchors(now), value=SELF),
            radius: dataset(now).radius,
        }

    def tell(key: str) -> Changes:
        """A story's models and image, and its words."""
        request = LANDSCAPE[key].request
        of = studio.cards()[request.models[0]].data
        return {
            waiting: prose(key, list(request.models)),
            models: list(request.models),
            image: gr.update(choices=say.choices(of), value=request.image),
            anchor: gr.update(choices=say.anchors(of), value=request.anchor),
            directions: request.directions,
            radius: request.radius,
            seed: request.seed,
        }

    told = [waiting, models, image, anchor, directions, radius, seed]
    inputs = [session, *shown, *spot, story, *asked]
    stream = guarded_stream(go)
    changed = [run.click, image.input, directions.input, radius.release, seed.submit, index.submit, anchor.input, other.submit]
    running = [
        models.input(guarded(followed), [story, models], [waiting, models, image, anchor, radius, status], **LIGHT).then(
            stream, inputs, outputs, **HEAVY
        ),
        gr.on(changed, stream, inputs, outputs, trigger_mode="always_last", **HEAVY),
        story.input(guarded(tell), story, told, **LIGHT).then(stream, inputs, outputs, **HEAVY),
    ]
    gr.on([energy.input, levels.input], guarded(panels), [session, *shown, *spot], outputs, **LIGHT)
    gr.on([look.click, a.submit, b.submit, plane.input], guarded(looked), [session, *shown, *spot], outputs, **LIGHT)
    for k, slot in enumerate(slots):
        slot[2].select(_clicked(picked, k), [session, *shown], outputs, **LIGHT)

    def stop(held: Session, *values: Any) -> Changes:
        if "landscape" not in held.stops or held.stops["landscape"].is_set():
            return {status: gr.skip()}
        held.stops["landscape"].set()
        return (panels(held, *values) if "landscape" in held.held else {}) | {status: STOPPED}

    halt.click(stop, [session, *shown, *spot], outputs, cancels=running, **LIGHT)
    params = {
        "l.models": models, "l.image": image, "l.index": index, "l.anchor": anchor, "l.other": other, "l.energy": energy,
        "l.dirs": directions, "l.levels": levels, "l.radius": radius, "l.seed": seed, "l.a": a, "l.b": b,
        "l.plane": plane, "l.story": story,
    }  # fmt: skip
    return Tab(
        params,
        (stream, inputs, outputs),
        menus={story: stories, models: drawable, plane: drawable},
        stories=Stories(story, tell, told),
    )


def _clicked(picked: Any, k: int) -> Any:
    """The handler of a click into panel k; gradio finds the event by its annotation, which `guarded` would hide."""

    def handler(held: Session, by: str, kind: str, event: gr.EventData) -> Changes:
        return guarded(picked)(held, by, kind, k, event.x, event.y)

    return handler


def _named(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(title, key) for key, title in table.items()]
