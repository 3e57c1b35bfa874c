"""Training: any recipe, live, with the curves of JEAT Fig. 3 and CEM (11); two runs side by side on shared axes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from ..backend import runs, training
from ..backend.checks import BadInput
from ..backend.runs import RunRequest
from ..backend.studio import Studio
from ..data.datasets import dataset
from ..dynamics import Diverged
from ..training.recipes import RECIPES
from . import words_training as say
from .controls import HEAVY, LIGHT, Changes, Session, Tab, guarded, guarded_stream
from .plots_training import FIGURES, Shown, figure
from .views import live_plot

NONE = "none"
FIRST = ("mnist-at-linf", "mnist-at")
"""Runs to open on, the first that is there."""

SCALES = ("evidence", "laptop", "shipped", "paper")
TRAINING: dict[str, Any] = {**HEAVY, "concurrency_id": "training", "concurrency_limit": 2}
"""Runs are long, and leave the places of what is short alone; the device is shared in turns."""


def shown(held: Session) -> list[Shown]:
    """The runs on screen: names, curves, and the probe nearest to the update looked at."""
    found = []
    for name in held.held.get("train.shown", ()):
        live = held.held.get("train.live")
        history = live.history if live is not None and live.name == name else runs.read_history(name)
        if history is not None:
            found.append(Shown(name, history, nearest(history, held.held.get("train.at"))))
    return found


def nearest(history: dict[str, Any], step: float | None) -> int | None:
    """Index of the probe nearest to an update, of the last one for None; None where there are no probes."""
    steps = [probe["step"] for probe in history["probes"]]
    if not steps or step is None:
        return len(steps) - 1 if steps else None
    return min(range(len(steps)), key=lambda i: abs(steps[i] - step))


def known() -> list[tuple[str, str]]:
    """Runs that have curves: models, then what is unfinished or going on."""
    unfinished = dict.fromkeys([*runs.unfinished(), *training.going()])
    return [*((n, n) for n in runs.histories()), *((f"{n} (unfinished)", n) for n in unfinished)]


def compared() -> list[tuple[str, str]]:
    """The same, and none."""
    return [("no comparison", NONE), *known()]


def build(session: gr.State, studio: Studio) -> Tab:
    """Controls, the run's buttons, numbers and figures."""
    names = [name for _, name in known()]
    opened = next((name for name in (*FIRST, *names) if name in names), None)
    recipes = [(row["evidence"].title, key) for key, row in RECIPES.items()]
    first = "mnist-at-linf"
    steps_first = RECIPES[first]["evidence"].steps
    gr.Markdown(say.STORY, elem_id="train-story")
    with gr.Row():
        with gr.Column(scale=1, min_width=280, visible=training.OPEN, elem_id="train-controls"):
            recipe = gr.Dropdown(recipes, value=first, label="recipe", interactive=True, elem_id="train-recipe")
            scale = gr.Radio(
                list(SCALES), value="evidence", label="scale", interactive=True, elem_id="train-scale",
                info="on two CPU cores: evidence about 3 minutes, laptop 15, shipped up to 2 hours",
            )  # fmt: skip
            with gr.Row():
                steps = gr.Number(
                    steps_first, label="updates", minimum=1, maximum=training.MAX_STEPS, precision=0, interactive=True,
                    min_width=110, elem_id="train-steps",
                )  # fmt: skip
                seed = gr.Number(
                    0, label="seed", minimum=0, maximum=training.MAX_SEED, precision=0, interactive=True, min_width=110,
                    elem_id="train-seed",
                )  # fmt: skip
            name = gr.Textbox(
                training.proposed(first), label="name of the model", max_length=64, interactive=True, elem_id="train-name"
            )
            download = gr.Checkbox(
                False, label="download the images", interactive=True, visible=False, elem_id="train-download"
            )
            with gr.Row():
                start = gr.Button("Start", variant="primary", min_width=110, elem_id="train-start")
                pause = gr.Button("Pause", min_width=110, elem_id="train-pause")
            with gr.Column(visible=False) as kept:
                pending = gr.Dropdown([], label="unfinished run", interactive=True, elem_id="train-pending")
                with gr.Row():
                    resume = gr.Button("Resume", min_width=110, elem_id="train-resume")
                    discard = gr.Button("Discard", min_width=110, elem_id="train-discard")
            told = gr.HTML("", css_template=say.TABLE_CSS, padding=False, elem_id="train-row")
        with gr.Column(scale=4, min_width=320, elem_id="train-stage"):
            status = gr.Markdown("", elem_id="train-status")
            with gr.Row():
                run_a = gr.Dropdown(known(), value=opened, label="show the run of", interactive=True, elem_id="train-a")
                run_b = gr.Dropdown(compared(), value=NONE, label="beside it", interactive=True, elem_id="train-b")
                look = gr.Slider(
                    0, training.MAX_STEPS, training.MAX_STEPS, step=1, label="update looked at", interactive=True,
                    elem_id="train-look",
                )  # fmt: skip
            figures, plots = list(FIGURES.items()), {}
            for i in range(0, len(figures), 2):
                with gr.Row():
                    for key, what in figures[i : i + 2]:
                        with gr.Column(min_width=310):
                            gr.Markdown(f"**{say.subscripts(what.title)}**  \n{what.how}")
                            plots[key] = live_plot(height=what.height, label=what.title, elem_id=f"train-{key}")
            numbers = gr.HTML("", css_template=say.TABLE_CSS, padding=False, elem_id="train-numbers")
    gr.Markdown(say.HOW, latex_delimiters=[])

    def draw(held: Session, keys: tuple[str, ...] = tuple(FIGURES)) -> Changes:
        """The figures of what the session shows."""
        on_screen = shown(held)
        if not on_screen:
            return {status: say.NOTHING, numbers: "", **{plots[key]: None for key in keys}}
        changes: Changes = {plots[key]: figure(key, on_screen) for key in keys}
        if "accuracy" in keys:
            end = max([run.history["steps"][-1] for run in on_screen if run.history["steps"]], default=1)
            at = held.held.get("train.at")
            changes[look] = gr.update(maximum=max(end, 1), value=end if at is None else min(at, end))
            changes[numbers] = say.numbers(on_screen)
        return changes

    def view(held: Session, a: str | None, b: str, at: float | None) -> Changes:
        """Other runs, or another update: the last one is followed while a run goes on."""
        held.held["train.shown"] = tuple(dict.fromkeys(n for n in (a, b) if n and n != NONE))
        held.held["train.at"] = at
        ends = [run.history["steps"][-1] for run in shown(held) if run.history["steps"]]
        if at is None or at >= max(ends, default=0):
            held.held["train.at"] = None
        return draw(held)

    def others(held: Session, a: str | None, b: str) -> Changes:
        return view(held, a, b, held.held.get("train.at"))

    def left() -> Changes:
        """The unfinished runs, and what can be done with the first."""
        unfinished = runs.unfinished()
        one = next(iter(unfinished), None)
        return {kept: gr.update(visible=one is not None), pending: gr.update(choices=list(unfinished), value=one), **offer(one)}

    def offer(which: str | None) -> Changes:
        """Resume, or try again where the guard stopped the run."""
        run = runs.unfinished().get(which or "")
        again = run is not None and run.diverged
        return {resume: "Try again with half the step" if again else "Resume"}

    def choose(key: str, size: str) -> Changes:
        """Another row: its table, its number of updates, a name."""
        sizes = [s for s in SCALES if s in RECIPES[key]]
        size = size if size in sizes else sizes[0]
        return {
            scale: gr.update(choices=sizes, value=size),
            steps: RECIPES[key][size].steps,
            name: training.proposed(key),
            **explain(key, size, None),
        }

    def explain(key: str, size: str, number: float | None) -> Changes:
        row = training.row(RunRequest(key, size, steps=number))
        data = dataset(row.data)
        absent = bool(training.missing(studio, row.data))
        box = gr.update(visible=absent and bool(data.torchvision), label=f"download {data.title} ({data.megabytes} MB)")
        return {told: say.recipe(row, size), download: box}

    def go(held: Session, request: RunRequest) -> Iterator[Changes]:
        """A run: its standing several times a second, all figures after each probe."""
        if held.held.get("train.going"):
            raise BadInput("run", "a run of yours is going on; pause it first")
        held.held["train.going"] = True
        stop = held.stops["training"]
        stop.clear()
        probes = -1
        try:
            for update in training.run(studio, request, stop):
                held.held["train.live"] = update if update.history else None
                changes: Changes = {status: say.standing(update)}
                if update.history and probes == -1:  # its first curves: show them alone
                    held.held |= {"train.shown": (update.name,), "train.at": None}
                    changes |= {
                        run_a: gr.update(choices=known(), value=update.name),
                        run_b: NONE,
                    }
                if update.history and update.name in held.held.get("train.shown", ()):
                    changes |= draw(held, ("loss",) if len(update.history["probes"]) == probes else tuple(FIGURES))
                    probes = len(update.history["probes"])
                yield changes
        except Diverged as error:
            yield {status: say.diverged(str(error))}
        finally:
            held.held["train.going"] = False
        held.held["train.live"] = None
        yield {run_a: gr.update(choices=known()), name: training.proposed(request.recipe), **left()}

    def begin(held: Session, *values: Any) -> Iterator[Changes]:
        key, size, number, begun, called, fetch = values
        for label, value in (("updates", number), ("seed", begun)):
            if value is None:
                raise BadInput(label, f"{label} is empty; give a whole number")
        yield from go(held, RunRequest(key, size, begun, called, number, fetch))

    def go_on(held: Session, which: str | None, fetch: bool) -> Iterator[Changes]:
        run = runs.unfinished().get(which or "")
        if run is None:
            raise BadInput("run", "choose an unfinished run first")
        yield from go(held, replace(run.request, mode="retry" if run.diverged else "resume", download=fetch))

    def drop(held: Session, which: str | None) -> Changes:
        training.discard(which or "")
        changes: Changes = {run_a: gr.update(choices=known()), run_b: gr.update(choices=compared())}
        if which in held.held.get("train.shown", ()):
            changes |= {run_a: gr.update(choices=known(), value=opened), run_b: NONE, **view(held, opened, NONE, None)}
        return {**changes, **left(), status: f"**{which} is discarded.**"}

    def halt(held: Session) -> str:
        held.stops["training"].set()
        return "**Pausing** after this update ..." if held.held.get("train.going") else "**Nothing is running.**"

    def opening(held: Session, key: str, size: str, number: float | None, *values: Any) -> Changes:
        """The first view: a finished run, its recipe beside it."""
        sizes = [s for s in SCALES if s in RECIPES[key]]
        size = size if size in sizes else sizes[0]
        changes = {scale: gr.update(choices=sizes, value=size), **explain(key, size, number), **left()}
        return {status: say.NOTHING if not values[0] else ""} | view(held, *values) | changes

    drawn = [status, run_a, run_b, look, numbers, *plots.values()]
    row = [recipe, scale, steps]
    ran = [*drawn, name, kept, pending, resume]
    recipe.input(guarded(choose), [recipe, scale], [scale, steps, name, told, download], **LIGHT)
    scale.input(guarded(choose), [recipe, scale], [scale, steps, name, told, download], **LIGHT)
    steps.change(guarded(explain), row, [told, download], trigger_mode="always_last", **LIGHT)
    start.click(guarded_stream(begin), [session, *row, seed, name, download], ran, trigger_mode="once", **TRAINING)
    resume.click(guarded_stream(go_on), [session, pending, download], ran, trigger_mode="once", **TRAINING)
    pause.click(halt, session, status, **LIGHT)
    discard.click(guarded(drop), [session, pending], ran, **LIGHT)
    pending.input(offer, pending, resume, **LIGHT)
    gr.on([run_a.input, run_b.input], guarded(others), [session, run_a, run_b], drawn, **LIGHT)
    look.input(guarded(view), [session, run_a, run_b, look], drawn, trigger_mode="always_last", **LIGHT)
    for key in FIGURES:
        if key != "energies":
            plots[key].select(_clicked(view), [session, run_a, run_b], drawn, **LIGHT)
    params = {
        "t.recipe": recipe, "t.scale": scale, "t.steps": steps, "t.seed": seed, "t.a": run_a, "t.b": run_b, "t.at": look,
    }  # fmt: skip
    first_view = (guarded(opening), [session, *row, run_a, run_b, look], [*ran, told, scale, download])
    return Tab(params, first_view, menus={run_a: known, run_b: compared, pending: lambda: list(runs.unfinished())})


def _clicked(view: Any) -> Any:
    """The handler of a click on a curve; gradio finds the event by its annotation, which `guarded` would hide."""

    def handler(held: Session, a: str | None, b: str, event: gr.EventData) -> Changes:
        return guarded(view)(held, a, b, event.x)

    return handler
