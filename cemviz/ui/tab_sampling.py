"""Sampling: chains step by step, two runs side by side from the same seeds."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from ..backend import export
from ..backend.checks import MAX_CHAINS, MAX_STEPS, BadInput
from ..backend.jobs import Waiting
from ..backend.kinds import KINDS
from ..backend.presets import SAMPLE, playable
from ..backend.requests import FEATURES, SampleRequest
from ..backend.sampling import Chains, offered, sample, settings
from ..backend.studio import Studio
from ..samplers import SAMPLERS, SETTINGS, suited
from ..starts import STARTS
from .controls import EXPECTED, HEAVY, LIGHT, STOPPED, Changes, Session, Stories, Tab, guarded, guarded_stream, words_of
from .views import chain_player
from .words_sampling import HOW, NOTHING, OWN, payload, summary

NONE, FIRST = "none", "robust-standard"
LIMIT = 60.0
"""Seconds a run may take on the page."""

MAX_PICTURES = 40_000
"""Chains times steps of a run: more than this a browser cannot unpack."""


def build(session: gr.State, studio: Studio) -> Tab:
    """Controls, player and downloads."""

    def sampled() -> list[str]:
        return [name for name, card in studio.cards().items() if card.kind in KINDS]

    def others() -> list[tuple[str, str]]:
        return [("no comparison", NONE), *((name, name) for name in sampled())]

    models = sampled()

    def told_of() -> list[tuple[str, str]]:
        return [(p.title, key) for key, p in playable(SAMPLE, sampled()).items()]

    stories = playable(SAMPLE, models)
    told_first = FIRST if FIRST in stories else None  # the controls begin with its numbers
    model_first = "mnist-at" if "mnist-at" in models else next(iter(models), None)
    names = menu(list(SAMPLERS))  # all of them, so that an address may ask for any; `go` narrows them to the models
    base = suited("rcs", (1, 28, 28))
    story = gr.Markdown(stories[FIRST].story if told_first else "" if models else NOTHING, elem_id="samp-story")
    with gr.Row():
        with gr.Column(scale=1, min_width=280, elem_id="samp-controls"):
            preset = gr.Dropdown(
                told_of(), value=told_first, label="story", interactive=True, elem_id="samp-preset",
            )  # fmt: skip
            model_a = gr.Dropdown(models, value=model_first, label="model A", interactive=True, elem_id="samp-model-a")
            sampler_a = gr.Dropdown(names, value="rcs", label="sampler A", interactive=True, elem_id="samp-sampler-a")
            model_b = gr.Dropdown(
                others(),
                value="mnist-standard" if "mnist-standard" in models else NONE,
                label="model B",
                interactive=True,
                elem_id="samp-model-b",
            )
            sampler_b = gr.Dropdown(names, value="rcs", label="sampler B", interactive=True, elem_id="samp-sampler-b")
            start = gr.Dropdown(
                [(row.title, key) for key, row in STARTS.items()],
                value="class-gaussian", label="start x₀", interactive=True, elem_id="samp-start",
            )  # fmt: skip
            classes = gr.Textbox(
                "", label="classes", placeholder="all in turn; or 3, 7", interactive=True, elem_id="samp-classes",
                info="names or numbers, commas between",
            )  # fmt: skip
            count = gr.Slider(1, MAX_CHAINS, 16, step=1, label="chains", interactive=True, elem_id="samp-count")
            features = gr.Radio(
                [(title, key) for key, title in FEATURES.items()], value="projection", label="features g(x)",
                info="of encoders; CEM does not say which", interactive=True, visible=False, elem_id="samp-features",
            )  # fmt: skip
            setting = gr.Dropdown(
                [("as suits sampler and data", "suited"), *[(row.title, key) for key, row in SETTINGS.items()]],
                value="suited", label="numbers of", interactive=True, elem_id="samp-setting",
            )  # fmt: skip
            narrow: dict[str, Any] = {"interactive": True, "min_width": 110}
            with gr.Row():
                alpha = gr.Number(base.step, label="α step", info="a step's length", elem_id="samp-alpha", **narrow)
                eta = gr.Number(base.noise, label="η noise", info="per pixel", elem_id="samp-eta", **narrow)
            with gr.Row():
                beta = gr.Textbox(f"{base.radius:g}", label="β radius", info="or inf", elem_id="samp-beta", **narrow)
                steps = gr.Number(base.steps, label="K steps", info=f"0 to {MAX_STEPS}", elem_id="samp-steps", **narrow)
            seed = gr.Number(0, label="seed", info="of every draw", interactive=True, elem_id="samp-seed")
            with gr.Row():
                run = gr.Button("Sample", variant="primary", elem_id="samp-run", min_width=110)
                halt = gr.Button("Stop", elem_id="samp-stop", min_width=110)
        with gr.Column(scale=4, min_width=320, elem_id="samp-stage"):
            player = chain_player(label="Chains step by step", empty="Chains appear here.", elem_id="samp-player")
            status = gr.Markdown("", elem_id="samp-status")
            with gr.Row():
                png = gr.DownloadButton("PNG of the last step", elem_id="samp-png", min_width=150)
                gif = gr.DownloadButton("GIF of all steps", elem_id="samp-gif", min_width=150)
                npz = gr.DownloadButton("npz of all numbers", elem_id="samp-npz", min_width=150)
    gr.Markdown(HOW, latex_delimiters=[])

    controls = [model_a, sampler_a, model_b, sampler_b, start, classes, count, alpha, eta, beta, steps, seed, features]

    def narrowed(a: str, by: str, b: str, other: str) -> Changes:
        """Menus that offer what fits the models; one that does not fit stays to be seen, and is refused when it runs."""
        cards = studio.cards()
        changes: Changes = {
            features: gr.update(visible=any("features" in KINDS[cards[m].kind].asks for m in (a, b) if m in cards))
        }
        for control, model, chosen in ((sampler_a, a, by), (sampler_b, b, other)):
            keys = offered(cards[model]) if model in cards else list(SAMPLERS)
            changes[control] = gr.update(choices=menu(keys if chosen in keys else [*keys, chosen]), value=chosen)
        return changes

    def go(held: Session, key: str | None, *values: Any) -> Iterator[Changes]:
        yield narrowed(*values[:4])
        requests = read(*values)
        yield {story: prose(key, requests)}
        held.stops["sampling"].clear()
        done: list[Chains] = []
        try:
            for request in requests:
                work, title = sample(studio, request), f"Sampling from {request.model}"
                for item in studio.jobs.run(work, title=title, limit=LIMIT, stop=held.stops["sampling"]):
                    if isinstance(item, Waiting):
                        yield {status: str(item)}
                    elif isinstance(item, Chains):
                        done.append(item)
                    elif item.done % 10 == 0:
                        yield {status: str(item)}
            if held.stops["sampling"].is_set():
                yield {status: STOPPED}
                return
            yield {player: payload(done), status: summary(studio, done)}
            yield dict(zip((png, gif, npz), files(held, done[0]), strict=True))  # packing them takes a moment
        except EXPECTED as error:  # stays to be read when the message has gone
            yield {status: f"**Nothing was sampled:** {words_of(error)}."}
            raise
        finally:
            held.stops["sampling"].set()

    inputs = [session, preset, *controls]
    outputs = [story, player, status, png, gif, npz, sampler_a, sampler_b, features]
    running = run.click(guarded_stream(go), inputs, outputs, trigger_mode="once", **HEAVY)

    def tell(key: str) -> Changes:
        chosen = SAMPLE[key]
        a, b = chosen.runs[0], chosen.runs[-1] if len(chosen.runs) > 1 else None
        dyn = settings(a, studio.cards()[a.model])
        asked = {
            model_a: a.model, sampler_a: a.sampler, model_b: b.model if b else NONE, sampler_b: b.sampler if b else a.sampler,
            start: a.start, classes: ",".join(map(str, a.classes)), count: a.count, seed: a.seed, setting: "suited",
            alpha: dyn.step, eta: dyn.noise, beta: f"{dyn.radius:g}", steps: dyn.steps,
        }  # fmt: skip
        fitted = narrowed(*list(asked.values())[:4])
        return asked | {story: chosen.story} | fitted | {features: fitted[features] | {"value": a.features}}

    chosen = preset.input(guarded(tell), preset, [story, setting, *controls], **LIGHT)
    told = chosen.then(guarded_stream(go), inputs, outputs, **HEAVY)

    def numbers(key: str, sampler: str, model: str) -> Changes:
        dyn = suited(sampler, studio.cards()[model].shape) if key == "suited" else SETTINGS[key].dynamics
        return {alpha: dyn.step, eta: dyn.noise, beta: f"{dyn.radius:g}", steps: dyn.steps}

    def followed(key: str, a: str, by: str, b: str, other: str) -> Changes:
        """Samplers that fit the models; for another kind of model A its usual start, number of chains and numbers too."""
        cards = studio.cards()
        changes: Changes = {}
        if by not in offered(cards[a]):
            usual = KINDS[cards[a].kind].usual
            by, key = usual["sampler"], "suited"
            changes = {start: usual["start"], count: usual["count"], setting: key}
        if b in cards and other not in offered(cards[b]):
            other = KINDS[cards[b].kind].usual["sampler"]
        return changes | narrowed(a, by, b, other) | numbers(key, by, a)

    lengths = [alpha, eta, beta, steps]
    for control in (setting, sampler_a):
        control.input(guarded(numbers), [setting, sampler_a, model_a], lengths, **LIGHT)
    for control in (model_a, model_b):
        control.input(
            guarded(followed),
            [setting, model_a, sampler_a, model_b, sampler_b],
            [setting, sampler_a, sampler_b, start, count, features, *lengths],
            **LIGHT,
        )

    def stop(held: Session) -> Any:
        at_work = "sampling" in held.stops and not held.stops["sampling"].is_set()
        held.stops["sampling"].set()
        return STOPPED if at_work else gr.skip()

    halt.click(stop, session, status, cancels=[running, told], **LIGHT)
    params = {
        "s.story": preset, "s.a": model_a, "s.as": sampler_a, "s.b": model_b, "s.bs": sampler_b, "s.start": start,
        "s.classes": classes, "s.count": count, "s.alpha": alpha, "s.eta": eta, "s.beta": beta, "s.K": steps, "s.seed": seed,
        "s.features": features, "s.numbers": setting,
    }  # fmt: skip
    return Tab(
        params,
        (guarded_stream(go), inputs, outputs),
        menus={preset: told_of, model_a: sampled, model_b: others},
        stories=Stories(preset, tell, [story, setting, *controls]),
    )


def prose(key: str | None, requests: list[SampleRequest]) -> str:
    """The words of a story, as long as what runs is what it sets: models, samplers, start, and its own numbers."""
    runs = SAMPLE[key].runs if key in SAMPLE else ()

    def same(run: SampleRequest, of: SampleRequest) -> bool:
        numbers = ("step", "noise", "radius", "steps")
        return (run.model, run.sampler, run.start) == (of.model, of.sampler, of.start) and all(
            getattr(of, number) in (None, getattr(run, number)) for number in numbers
        )

    if len(runs) == len(requests) and all(map(same, requests, runs)):
        return SAMPLE[key].story
    return OWN if len(requests) > 1 else ""


def menu(samplers: list[str]) -> list[tuple[str, str]]:
    """Samplers as choices."""
    return [(f"{key.upper()}: {SAMPLERS[key].source}", key) for key in samplers]


def read(
    model_a: str, sampler_a: str, model_b: str, sampler_b: str, start: str, classes: str, count: float,
    alpha: float, eta: float, beta: str, steps: float, seed: float, features: str,
) -> list[SampleRequest]:  # fmt: skip
    """The controls as one or two requests that share starts and noise.

    Raises:
        BadInput: a number that cannot be read; the rest is checked where it is used.
    """
    try:
        radius = float(str(beta).strip() or "nan")
    except ValueError:
        raise BadInput("radius", f"β (radius) is {beta!r}; give a number >= 0, or inf for no ball") from None
    if not model_a:
        raise BadInput("model A", NOTHING)
    blank = [
        symbol for symbol, value in (("α", alpha), ("η", eta), ("K", steps), ("seed", seed), ("chains", count)) if value is None
    ]
    if blank:
        raise BadInput(blank[0], f"{blank[0]} is empty; give a number")
    if steps <= MAX_STEPS and count * steps > MAX_PICTURES:
        raise BadInput(
            "chains",
            f"{count:g} chains of {steps:g} steps are too many pictures for a page; give {MAX_PICTURES // steps:g} chains",
        )
    asked = tuple(part.strip() for part in (classes or "").split(",") if part.strip())
    a = SampleRequest(model_a, sampler_a, asked, count, start, alpha, eta, radius, steps, seed, features)
    return [a] if model_b == NONE else [a, replace(a, model=model_b, sampler=sampler_b)]


def files(held: Session, chains: Chains) -> list[str]:
    """The run as PNG, GIF and npz in a folder of the visitor's own, which goes with the session."""
    folder = held.held.setdefault("files", tempfile.TemporaryDirectory(prefix="cemviz-"))
    for old in Path(folder.name).iterdir():  # one run a visitor, not all that they ever made
        old.unlink()
    name = f"{chains.card.name}-{chains.request.sampler}-seed{int(chains.request.seed)}"
    writers = {"png": export.save_png, "gif": export.save_gif, "npz": export.save_npz}
    return [str(write(chains, Path(folder.name) / f"{name}.{suffix}")) for suffix, write in writers.items()]
