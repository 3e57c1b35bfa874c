"""Robustness: accuracy under attack of several models, its curve over ε, and images before and after with both energies."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from ..backend.attacked import FACTORS, Attacked, attacked, fitting
from ..backend.checks import BadInput
from ..backend.jobs import Waiting
from ..backend.kinds import KINDS
from ..backend.requests import NORMS, SOURCES, AttackedRequest, RobustnessRequest
from ..backend.robustness import COLUMNS, MOST_MODELS, Rates, ready, robustness
from ..backend.store import Card
from ..backend.studio import Studio
from . import words_robustness as say
from .controls import EXPECTED, HEAVY, LIGHT, Changes, Session, Tab, guarded, guarded_stream
from .plots_robustness import curves, styles
from .views import live_plot

LIMIT = 600.0
"""Seconds a measurement may take on the page."""

FIRST = ("mnist-at-linf", "mnist-at")
"""Models to attack images of, the first that is among those to begin with."""

ALL = "all in turn"


def measure(studio: Studio, held: Session, request: RobustnessRequest) -> Iterator[str | list[Rates]]:
    """Measure model by model, when the device is free, until the visitor says stop; what is done stays.

    Yields:
        what to say meanwhile, and all rows so far after each model.
    """
    stop = held.stops["robustness"]
    stop.clear()
    rows: list[Rates] = []
    try:
        said = ""
        for item in studio.jobs.run(robustness(studio, request), title="Robustness", limit=LIMIT, stop=stop):
            if isinstance(item, Rates):
                rows.append(item)
                yield list(rows)
            elif isinstance(item, Waiting):
                yield str(item)
            else:
                said = f" after {item.done} of {item.of} parts"
                yield f"{item} parts"
        if stop.is_set():
            yield f"Stopped{said}. Models that were done are shown."
    finally:
        stop.set()


def classifying(studio: Studio) -> dict[str, Card]:
    """The stored models that have an accuracy."""
    return {name: card for name, card in studio.cards().items() if card.kind in KINDS and KINDS[card.kind].classifies}


def follow(studio: Studio, chosen: list[str]) -> list[str]:
    """Models of one data set: the last chosen decides.  Where that is a new one, those it opens with come along."""
    cards = studio.cards()
    if not chosen or cards[chosen[0]].data == cards[chosen[-1]].data:
        return chosen
    now = cards[chosen[-1]].data
    kept = [name for name in chosen if cards[name].data == now]
    others = say.pair(classifying(studio), now)
    return [*kept, *(name for name in others if name not in kept)][:MOST_MODELS]


def build(session: gr.State, studio: Studio) -> Tab:
    """Controls, table, curve; controls and cards of single images."""

    def classifiers() -> list[str]:
        return list(classifying(studio))

    cards = classifying(studio)
    first = (say.pair(cards, "mnist") or say.pair(cards, next(iter(cards.values())).data if cards else ""))[:MOST_MODELS]
    one = next((name for name in (*FIRST, *first) if name in first), None)
    radius = cards[one].radius if one else 0.1
    labels = list(dict.fromkeys(name for card in cards.values() for name in card.classes))
    on: dict[str, Any] = {"interactive": True}
    gr.Markdown(say.STORY, elem_id="rob-story")
    with gr.Row():
        with gr.Column(scale=1, min_width=280, elem_id="rob-controls"):
            kind = gr.Radio(_named(say.KINDS), value="shipped", label="numbers", elem_id="rob-from", **on)
            models = gr.Dropdown(
                classifiers(), value=first, multiselect=True, max_choices=MOST_MODELS, label="models",
                info=f"up to {MOST_MODELS} of one data set", elem_id="rob-models", **on,
            )  # fmt: skip
            with gr.Group(visible=False) as numbers:
                attacks = gr.CheckboxGroup(
                    [(title, name) for name, title in COLUMNS.items() if name != "none"],
                    value=[name for name in COLUMNS if name != "none"], label="attacks", elem_id="rob-attacks", **on,
                )  # fmt: skip
                norm, size = _threat("rob", radius)
                count = gr.Number(200, label="test images", info="10 to 2000", precision=0, elem_id="rob-count", **on)
                seed = gr.Number(0, label="seed", info="of the random starts", precision=0, elem_id="rob-seed", **on)
                over = gr.Checkbox(True, label="curve over ε", elem_id="rob-over", **on)
            with gr.Row():
                run = gr.Button("Measure", variant="primary", elem_id="rob-run", min_width=100)
                halt = gr.Button("Stop", elem_id="rob-stop", min_width=100)
        with gr.Column(scale=4, min_width=320, elem_id="rob-stage"):
            status = gr.Markdown("", elem_id="rob-status")
            rates = gr.HTML("", elem_id="rob-rates", padding=False)
            under = gr.Markdown("", elem_id="rob-caption")
            plots = {}
            with gr.Row():
                for name, title in NORMS.items():
                    with gr.Column(min_width=300, visible=name == "l2") as column:
                        gr.Markdown(f"**PGD-20 over ε, {title}.** Lines as in the table; bars are one standard error.")
                        view = live_plot(height=380, label=f"Accuracy under PGD-20 over ε, {title}", elem_id=f"rob-plot-{name}")
                    plots[name] = column, view
    gr.Markdown(say.HOW, latex_delimiters=[])
    gr.Markdown(say.EFFECT, latex_delimiters=[], elem_id="rob-effect-story")
    with gr.Row():
        with gr.Column(scale=1, min_width=280, elem_id="rob-look-controls"):
            of = gr.Dropdown(classifiers(), value=one, label="model", elem_id="rob-model", **on)
            attack = gr.Radio(
                [(title, name) for name, title in COLUMNS.items() if name != "none"], value="pgd", label="attack shown",
                elem_id="rob-attack", **on,
            )  # fmt: skip
            source = gr.Radio(_named(SOURCES), value="gallery", label="images", elem_id="rob-source", **on)
            label = gr.Dropdown([ALL, *labels], value=ALL, label="class", elem_id="rob-class", **on)
            with gr.Row():
                start = gr.Number(0, label="first", info="of each class", precision=0, min_width=110, elem_id="rob-first", **on)
                shown = gr.Number(6, label="images", info="1 to 12", precision=0, min_width=110, elem_id="rob-shown", **on)
            own, ball = _threat("rob-look", radius)
            factor = gr.Dropdown(
                [("as fits", 0), *((f"× {f}", f) for f in FACTORS)], value=0, label="differences", elem_id="rob-factor", **on
            )
            draws = gr.Number(0, label="seed", info="of the random starts", precision=0, elem_id="rob-look-seed", **on)
            look = gr.Button("Attack", variant="primary", elem_id="rob-look-run")
        with gr.Column(scale=4, min_width=320, elem_id="rob-look"):
            table = gr.HTML("", elem_id="rob-effects", padding=False)
            line = gr.Markdown("", elem_id="rob-reading")
            grid = gr.HTML("", elem_id="rob-grid", padding=False)

    top, bottom = [kind, models, attacks, norm, size, count, seed, over], [of, source, label, start, shown, own, ball, draws]
    high, low = [status, rates, under, numbers, kind, *(part for pair in plots.values() for part in pair)], [table, line, grid]

    def seen(rows: list[Rates], chosen: list[str]) -> Changes:
        """Table, caption and curves of these rows; styles go by the models chosen, so that a line keeps its look."""
        looks = styles(chosen)
        changes: Changes = {rates: "", under: ""} | {column: gr.Column(visible=False) for column, _ in plots.values()}
        if not rows:
            return changes
        data = studio.cards()[chosen[0]].data
        changes |= {rates: say.table(rows, looks), under: say.caption(rows, data, studio.device.title)}
        for name, (column, view) in plots.items():
            mine = [row for row in rows if row.norm == name and row.curve]
            if mine:
                changes |= {column: gr.Column(visible=True), view: curves(mine, looks)}
        return changes

    def stored(chosen: list[str]) -> Changes:
        if not chosen:
            return {status: "Choose at least one model." if cards else say.NO_MODELS}
        rows, notes = ready(studio, tuple(chosen))
        return seen(rows, chosen) | {status: "  \n".join(notes), numbers: gr.Group(visible=False)}

    def here(held: Session, chosen: list[str], asked: list[str], *values: Any) -> Iterator[Changes]:
        if not chosen:
            raise BadInput("models", "choose at least one model" if cards else say.NO_MODELS)
        fixed = values[0] != "card"
        request = RobustnessRequest(
            tuple(chosen), tuple(asked), values[0] if fixed else None, _given("ε", values[1]) if fixed else None,
            _given("test images", values[2]), _given("seed", values[3]), values[4],
        )  # fmt: skip
        yield {status: "starting ...", numbers: gr.Group(visible=True), kind: "here"}
        rows: list[Rates] = []
        said = ""
        for item in measure(studio, held, request):
            if isinstance(item, str):
                said = item
                yield {status: item}
            else:
                rows = item
                yield seen(rows, chosen)
        yield {status: said if said.startswith("Stopped") else ""}

    def chose(way: str, chosen: list[str]) -> Changes:
        kept = follow(studio, chosen)
        if way == "shipped":
            return stored(kept) | {models: kept}
        return {models: kept, numbers: gr.Group(visible=True), status: "Press Measure: this takes minutes for several models."}

    def draw(held: Session) -> Changes:
        done: list[Attacked] = held.held["attacked"]
        name, times = held.held["attack shown"]
        current = next((one for one in done if one.attack == name), done[-1])
        by = times or fitting(current)
        return {
            table: say.effects(done, name),
            line: say.reading(current, by, by <= fitting(current)),
            grid: say.grid(current, by),
        }

    def redraw(held: Session, name: str, times: float) -> Changes:
        if not held.held.get("attacked"):
            raise BadInput("images", "nothing was attacked yet; press Attack first")
        held.held["attack shown"] = name, times
        return draw(held)

    def go(held: Session, name: str, times: float, model: str, *values: Any) -> Iterator[Changes]:
        if not model:
            yield {line: say.NO_MODELS}
            return
        kinds, which, begin, many, way, within, start_seed = values
        request = AttackedRequest(
            model, kinds, None if which in (ALL, None) else which, _given("first", begin), _given("images", many),
            None if way == "card" else way, None if way == "card" else _given("ε", within), _given("seed", start_seed),
        )  # fmt: skip
        done: list[Attacked] = []
        held.held["attack shown"] = name, times  # a visitor may choose another one while the attacks still run
        for item in studio.jobs.run(attacked(studio, request), title="Attacks", limit=LIMIT):
            if isinstance(item, Waiting):
                yield {line: str(item)}
                continue
            done.append(item)
            held.held["attacked"] = done
            if item.attack == held.held["attack shown"][0]:
                yield draw(held)  # the asked attack at once, the others' rows when they are done
        yield draw(held)

    def both(held: Session, *values: Any) -> Iterator[Changes]:
        """The first view; the images also where the rates cannot be shown, and the other way round."""
        way, chosen, *rest = values[: len(top)]
        if way == "shipped":
            yield stored(chosen)
        try:
            yield from go(held, *values[len(top) :])
        except EXPECTED as error:
            yield {line: str(error)}
        if way == "here":
            yield from here(held, chosen, *rest)

    def known_classes(model: str, which: str) -> Changes:
        names = studio.cards()[model].classes
        return {label: gr.Dropdown(choices=[ALL, *names], value=which if which in names else ALL)}

    asked = [session, attack, factor, *bottom]
    running = run.click(
        guarded_stream(here), [session, models, attacks, norm, size, count, seed, over], high, trigger_mode="once", **HEAVY
    )
    gr.on([kind.input, models.input], guarded(chose), [kind, models], [*high, models], **LIGHT)
    gr.on(
        [look.click, source.input, label.input, own.input, start.submit, shown.submit, ball.submit, draws.submit],
        guarded_stream(go), asked, low, trigger_mode="always_last", **HEAVY,
    )  # fmt: skip
    of.input(guarded(known_classes), [of, label], [label], **LIGHT).then(guarded_stream(go), asked, low, **HEAVY)
    gr.on([attack.input, factor.input], guarded(redraw), [session, attack, factor], low, **LIGHT)
    for way, field in ((norm, size), (own, ball)):
        way.change(lambda name: gr.update(visible=name != "card"), way, field, **LIGHT)

    def stop(held: Session) -> Any:
        at_work = "robustness" in held.stops and not held.stops["robustness"].is_set()
        held.stops["robustness"].set()
        return "Stopped. Models that were done are shown." if at_work else gr.skip()

    halt.click(stop, session, status, cancels=[running], **LIGHT)
    params = {
        "r.from": kind, "r.models": models, "r.attacks": attacks, "r.norm": norm, "r.radius": size, "r.count": count,
        "r.seed": seed, "r.curve": over, "r.model": of, "r.attack": attack, "r.images": source, "r.class": label,
        "r.first": start, "r.shown": shown, "r.ball": own, "r.eps": ball, "r.times": factor, "r.starts": draws,
    }  # fmt: skip
    return Tab(
        params,
        (guarded_stream(both), [session, *top, attack, factor, *bottom], [*high, *low]),
        menus={models: classifiers, of: classifiers},
    )


def _threat(prefix: str, radius: float) -> tuple[gr.Radio, gr.Number]:
    """Which ball: the card's, or a norm with a radius."""
    norm = gr.Radio(_named(say.THREATS), value="card", label="threat model", interactive=True, elem_id=f"{prefix}-norm")
    size = gr.Number(
        radius, label="ε radius", info="pixel units, 0.001 to 100", interactive=True, visible=False, elem_id=f"{prefix}-radius"
    )
    return norm, size


def _given(name: str, value: float | None) -> float:
    """A number of a field that may have been emptied."""
    if value is None:
        raise BadInput(name, f"{name} is empty; give a number")
    return value


def _named(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(title, key) for key, title in table.items()]
