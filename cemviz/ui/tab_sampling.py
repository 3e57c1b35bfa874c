"""Sampling: chains step by step, two runs side by side from the same seeds."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from ..backend import export
from ..backend.checks import MAX_STEPS, BadInput
from ..backend.presets import SAMPLE, playable
from ..backend.sampling import CLIMBS, Chains, SampleRequest, reach, sample
from ..backend.studio import Studio
from ..samplers import SAMPLERS, SETTINGS, suited
from ..starts import STARTS
from .controls import HEAVY, LIGHT, Session, Tab, guarded, guarded_stream
from .views import Panel, chain_player, player_payload

NONE = "none"
NOTHING = "There is no model here yet. Train one, for example with `python -m cemviz train mnist-at`, and reload the page."
LIMIT = 60.0
"""Seconds a run may take on the page."""

AXES: dict[str, tuple[str, str]] = {
    "joint": ("E(x, y)", "nats, lower is likelier"),
    "marginal": ("E(x)", "nats, lower is likelier"),
    "log_p": ("log p(y | x)", "nats, at most 0"),
    "distance": ("distance to x₀", "L2, pixel units"),
    "label_slope": ("|∇ f_y|", "length of the label's gradient"),
    "lse_slope": ("|∇ logsumexp|", "length of the other gradient"),
    "angle": ("angle between the two", "degrees"),
}

HOW = """**How to read it.** Each tile is one chain; select one, and step through it. The curves show the selected chain thick,
the others thin. A chain climbs a multiple of two gradients, ∇f_y and ∇logsumexp f = −∇E(x): **TA** takes f_y −
logsumexp, **CS** f_y alone, **RCS** f_y + logsumexp, **Langevin** logsumexp alone. *Our reading* of CEM's protocol:
the gradient is L2-normalised per sample, the noise lies inside the projection, the ball is around x₀, then pixels are
clamped to [0, 1]; the last iterate is shown. Lengths for MNIST are *our choice* (α .5: CEM's 1 scaled by the size of
the box; β 6 kept)."""


def build(session: gr.State, studio: Studio) -> Tab:
    """Controls, player and downloads."""

    def classifiers() -> list[str]:
        return [name for name, card in studio.cards().items() if card.kind == "classifier"]

    def others() -> list[tuple[str, str]]:
        return [("no comparison", NONE), *((name, name) for name in classifiers())]

    models = classifiers()

    def told_of() -> list[tuple[str, str]]:
        return [(p.title, key) for key, p in playable(SAMPLE, classifiers()).items()]

    stories = playable(SAMPLE, models)
    told_first = next(iter(stories), None)
    model_first = "mnist-at" if "mnist-at" in models else next(iter(models), None)
    names = [(f"{key.upper()}: {row.source}", key) for key, row in SAMPLERS.items()]
    base = suited("rcs", (1, 28, 28))
    story = gr.Markdown(stories[told_first].story if told_first else NOTHING, elem_id="samp-story")
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
            count = gr.Slider(1, 36, 16, step=1, label="chains", interactive=True, elem_id="samp-count")
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
                halt = gr.Button("Stop", elem_id="samp-stop", elem_classes="pause-when-hidden", min_width=110)
        with gr.Column(scale=4, min_width=320, elem_id="samp-stage"):
            player = chain_player(label="Chains step by step", empty="Sampling ...", elem_id="samp-player")
            status = gr.Markdown("", elem_id="samp-status")
            with gr.Row():
                png = gr.DownloadButton("PNG of the last step", elem_id="samp-png", min_width=150)
                gif = gr.DownloadButton("GIF of all steps", elem_id="samp-gif", min_width=150)
                npz = gr.DownloadButton("npz of all numbers", elem_id="samp-npz", min_width=150)
    gr.Markdown(HOW, latex_delimiters=[])

    controls = [model_a, sampler_a, model_b, sampler_b, start, classes, count, alpha, eta, beta, steps, seed]

    def go(held: Session, *values: Any) -> Iterator[tuple[Any, ...]]:
        kept = (gr.skip(),) * 3
        requests = read(*values)
        held.stops["sampling"].clear()
        done: list[Chains] = []
        try:
            for request in requests:
                job = studio.jobs.submit(sample(studio, request), title=f"Sampling from {request.model}", limit=LIMIT)
                if job.position:
                    yield gr.skip(), f"waiting: {job.position} before you", *kept
                for item in job:
                    if held.stops["sampling"].is_set():
                        yield gr.skip(), "stopped", *kept
                        return
                    if isinstance(item, Chains):
                        done.append(item)
                    elif item["k"] % 10 == 0:
                        yield gr.skip(), f"{request.model}: step {item['k']} of {item['steps']}", *kept
            yield payload(done), summary(studio, done), *kept
            yield gr.skip(), gr.skip(), *files(held, done[0])  # after the pictures: packing them takes a moment
        finally:
            held.stops["sampling"].set()

    outputs = [player, status, png, gif, npz]
    running = run.click(guarded_stream(go), [session, *controls], outputs, trigger_mode="once", **HEAVY)

    def tell(key: str) -> list[Any]:
        chosen = SAMPLE[key]
        a, b = chosen.runs[0], chosen.runs[-1] if len(chosen.runs) > 1 else None
        card = studio.cards()[a.model]
        dyn = suited(a.sampler, card.shape)
        noise = dyn.noise if a.noise is None else a.noise
        return [
            chosen.story, a.model, a.sampler, b.model if b else NONE, b.sampler if b else "rcs", a.start,
            ",".join(map(str, a.classes)), a.count, dyn.step, noise, f"{dyn.radius:g}", dyn.steps, a.seed,
        ]  # fmt: skip

    chosen = preset.input(guarded(tell), preset, [story, *controls], **LIGHT)
    told = chosen.then(guarded_stream(go), [session, *controls], outputs, **HEAVY)

    def numbers(key: str, sampler: str, model: str) -> tuple[Any, ...]:
        dyn = suited(sampler, studio.cards()[model].shape) if key == "suited" else SETTINGS[key].dynamics
        return dyn.step, dyn.noise, f"{dyn.radius:g}", dyn.steps

    for control in (setting, sampler_a, model_a):
        control.input(guarded(numbers), [setting, sampler_a, model_a], [alpha, eta, beta, steps], **LIGHT)
    halt.click(lambda held: held.stops["sampling"].set(), session, None, cancels=[running, told], **LIGHT)
    params = {
        "s.story": preset, "s.a": model_a, "s.as": sampler_a, "s.b": model_b, "s.bs": sampler_b, "s.start": start,
        "s.classes": classes, "s.count": count, "s.alpha": alpha, "s.eta": eta, "s.beta": beta, "s.K": steps, "s.seed": seed,
    }  # fmt: skip
    return Tab(
        params,
        (guarded_stream(go), [session, *controls], outputs),
        menus={preset: told_of, model_a: classifiers, model_b: others},
    )


def read(
    model_a: str, sampler_a: str, model_b: str, sampler_b: str, start: str, classes: str, count: float,
    alpha: float, eta: float, beta: str, steps: float, seed: float,
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
    asked = tuple(part.strip() for part in (classes or "").split(",") if part.strip())
    a = SampleRequest(model_a, sampler_a, asked, count, start, alpha, eta, radius, steps, seed)
    return [a] if model_b == NONE else [a, replace(a, model=model_b, sampler=sampler_b)]


def payload(runs: list[Chains]) -> str:
    """What the player plays."""
    panels = []
    for chains in runs:
        names = chains.card.classes
        conditional = SAMPLERS[chains.request.sampler].conditional
        panels.append(
            Panel(
                title=f"{chains.card.name}, {chains.request.sampler.upper()}",
                frames=chains.pixels,
                series={AXES[key][0]: values for key, values in chains.series.items()},
                labels=[f"asked: {names[y]}" if conditional else "no class asked" for y in chains.asked],
                final=[f"{names[y]} ({p:.2f})" for y, p in zip(chains.predicted, chains.confidence, strict=True)],
            )
        )
    dyn = runs[0].dynamics
    return player_payload(
        panels,
        charts=[name for name, _ in AXES.values()],
        axis=dict(AXES.values()),
        limits={AXES["distance"][0]: (dyn.radius, f"β = {dyn.radius:g}")},
        seed=int(runs[0].request.seed),
    )


def summary(studio: Studio, runs: list[Chains]) -> str:
    """The outcome in a sentence a run: what was asked, what came, how far the starts lay."""
    lines = []
    for letter, chains in zip("AB", runs, strict=False):
        sampler = SAMPLERS[chains.request.sampler]
        a, b = CLIMBS[sampler.energy]
        right = float((chains.predicted == chains.asked).mean())
        asked = f"{right:.0%} end in the asked class" if sampler.conditional else "no class asked"
        moved = chains.series["distance"][-1]
        lines.append(
            f"**{letter}** climbs {a:+d}·f_y {b:+d}·logsumexp ({sampler.source}): {asked}, mean confidence "
            f"{np.mean(chains.confidence):.2f}, moved {moved.mean():.1f} of β = {chains.dynamics.radius:g}, "
            f"{chains.seconds:.1f} s."
        )
    found = reach(studio, runs[0])
    if found is not None:
        distance, of = found
        beyond = " **That is farther than β: the ball holds no such image.**" if distance > runs[0].dynamics.radius else ""
        lines.append(f"The starts lie {distance:.1f} from the nearest {of} (median).{beyond}")
    return "  \n".join(lines)


def files(held: Session, chains: Chains) -> list[str]:
    """The run as PNG, GIF and npz in a folder of the visitor's own, which goes with the session."""
    folder = held.held.setdefault("files", tempfile.TemporaryDirectory(prefix="cemviz-"))
    name = f"{chains.card.name}-{chains.request.sampler}-seed{int(chains.request.seed)}"
    writers = {"png": export.save_png, "gif": export.save_gif, "npz": export.save_npz}
    return [str(write(chains, Path(folder.name) / f"{name}.{suffix}")) for suffix, write in writers.items()]
