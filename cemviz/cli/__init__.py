"""The command line: the studio's use-cases, with progress on standard error and results on standard output.

`--json` prints exactly one JSON object.  Bad input is one line and exit code 2, a failed run one line and exit code 1;
CEMVIZ_DEBUG=1 shows the traceback instead.
"""

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..attacks import ATTACKS
from ..backend import assets, docs, own, store
from ..backend.attack.detect import Detected, detect
from ..backend.bench import BENCHES, bench
from ..backend.checks import BadInput, choice
from ..backend.device import choose
from ..backend.evaluate import METRICS, evaluate, summary
from ..backend.foreign import hub
from ..backend.foreign.bring import bring
from ..backend.foreign.imported import Imported
from ..backend.kinds import of
from ..backend.look.restore import Restored, restore, save_png
from ..backend.play import play
from ..backend.presets import LANDSCAPE, PLAY, SAMPLE
from ..backend.requests import (
    AddRequest,
    DetectRequest,
    EvaluateRequest,
    ImportRequest,
    PlayRequest,
    PublishRequest,
    PullRequest,
    ReproduceRequest,
    RestoreRequest,
    SampleRequest,
    SoakRequest,
    SweepRequest,
    TrainRequest,
)
from ..backend.sample import export
from ..backend.sample.chains import Chains, sample
from ..backend.sample.columns import COLUMNS
from ..backend.sample.sweep import sweep
from ..backend.sample.swept import Sweep
from ..backend.soak.run import soak
from ..backend.studio import Studio
from ..backend.tables import EXPERIMENTS
from ..backend.tables.reproduce import as_text, reproduce
from ..backend.train import team as distributed
from ..backend.train.interrupt import Interrupt
from ..backend.train.run import Model, train
from ..backend.use_case import Step, follow
from ..data.images import DATASETS, DataMissing, root
from ..dynamics import Diverged
from ..metrics.robustness import PROTOCOLS
from ..samplers import SAMPLERS
from ..training.recipes import RECIPES
from .options import asks

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__.splitlines()[0])

data_app = typer.Typer(no_args_is_help=True, help="Data sets of one's own.")
app.add_typer(data_app, name="data")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Data = Annotated[str | None, typer.Option(help="Root of local image folders (default: CEMVIZ_DATA).")]
DeviceName = Annotated[str | None, typer.Option("--device", help="cuda, cuda:N, mps or cpu (default: the best there is).")]
Seed = Annotated[int, typer.Option(help="Of every random draw.")]


def progress(text: str, *, again: bool = False, always: bool = False) -> None:
    """Progress on standard error; `again` writes over the last line where that is a terminal; one process of several speaks."""
    if not (always or distributed.leads()) or (again and not sys.stderr.isatty()):
        return
    print(text, end="\r" if again else "\n", file=sys.stderr, flush=True)


def answer(result: dict[str, Any], as_json: bool, lines: Iterable[str] | None = None) -> None:
    """The result on standard output: one JSON object, or these lines, or a line a field."""
    if as_json:
        print(json.dumps(result))
    else:
        print("\n".join((f"{k}: {v}" for k, v in result.items()) if lines is None else lines))


@app.command("list")
def list_command(as_json: Json = False) -> None:
    """Everything there is a name for: models, samplers, attacks, recipes, data sets, presets, experiments, metrics."""
    root()  # a mistyped CEMVIZ_DATA is refused by every command

    def titled(table: dict[str, Any]) -> list[dict[str, str]]:
        return [{"name": name, "title": row if isinstance(row, str) else row.title} for name, row in table.items()]

    recipes = [{"name": name, "title": f"{rows['laptop'].title} [{', '.join(rows)}]"} for name, rows in RECIPES.items()]
    names = {
        "models": titled(store.cards()),
        "samplers": titled(SAMPLERS),
        "attacks": titled(ATTACKS | PROTOCOLS),
        "recipes": recipes,
        "datasets": titled(DATASETS),
        "presets": titled(PLAY | SAMPLE | LANDSCAPE),
        "experiments": titled(EXPERIMENTS),
        "metrics": titled(METRICS),
        "columns": titled(COLUMNS),
    }
    for line in store.left_out():
        progress(f"cemviz: {line}")
    if not store.folder().exists():
        progress(f"cemviz: there is no folder {store.folder()}; the first model makes it, or mend CEMVIZ_CHECKPOINTS")
    lines = []
    for kind, rows in names.items():
        lines.append(f"{kind}:" if rows else f"{kind}: none yet")
        lines += [f"  {row['name']:<20} {row['title']}" for row in rows]
    answer(names, as_json, lines)


@app.command("train")
@asks(TrainRequest, "recipe")
def train_command(
    request: TrainRequest,
    *,
    steps: Annotated[int | None, typer.Option(help="Number of updates.")] = None,
    changes: Annotated[list[str], typer.Option("--set", help="Replace a field of the recipe: field=value.")] = [],  # noqa: B006
    device: DeviceName = None,
    as_json: Json = False,
) -> None:
    """Train a recipe, store the model with its card, and measure its clean and robust accuracy."""
    asked: dict[str, Any] = {} if steps is None else {"steps": steps}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise BadInput("set", f"--set is {change!r}; give field=value, such as --set lr=0.001")
        asked[key] = value
    studio = Studio(choose(device), request.data)
    if note := distributed.advice():
        progress(f"cemviz: {note}")
    model = _trained(studio, replace(request, changes=asked))
    distributed.leave()
    if model is None:
        return
    result = {
        "model": model.name, "path": model.path, "steps": model.end.of, "seconds": model.end.seconds, "terms": model.end.terms,
    }  # fmt: skip
    card = store.read_card(model.name)
    if not of(card).classifies:
        progress(f"it has no accuracy of its own: {of(card).instead.format(name=card.name, recipe=request.recipe)}")
        return answer(result, as_json)
    for metric in ("accuracy", "robust"):
        progress(f"measuring {metric} ...")
        try:
            measured = last(evaluate(studio, EvaluateRequest(model.name, metric, seed=request.seed)))
        except DataMissing as error:  # it was said before the training, which is done
            progress(f"not measured: {error}")
            break
        store.with_metric(model.name, metric, summary(measured))
        result[metric] = measured["value"]
    answer(result, as_json)


def _trained(studio: Studio, request: TrainRequest) -> Model | None:
    """The model of a run that a signal stops between two updates; None in a process that stores none."""
    work, model = train(studio, request), None
    with Interrupt() as interrupt:
        for item in work:
            if isinstance(item, Model):
                model = item
                continue
            interrupt.armed = True
            progress(str(item), again=item.done % 100 != 0 and item.done != item.of)
            if item.unsaved:
                progress(f"cemviz: {item.unsaved}")
            if interrupt.asked:
                work.close()  # saves the state
                raise KeyboardInterrupt
    return model


@app.command("evaluate")
@asks(EvaluateRequest, "model")
def evaluate_command(request: EvaluateRequest, *, data: Data = None, device: DeviceName = None, as_json: Json = False) -> None:
    """Measure a stored model on its test images."""
    answer(last(evaluate(Studio(choose(device), data), request)), as_json)


def usual(given: dict[str, Any]) -> dict[str, Any]:
    """Sampler, start and number of chains that suit the kind of model."""
    return of(store.read_card(given["model"])).usual


@app.command("sample")
@asks(SampleRequest, "model", usual=usual)
def sample_command(
    request: SampleRequest,
    *,
    out: Annotated[Path, typer.Option(help="Where to write: .png (last step), .gif (all steps) or .npz (all numbers).")] = Path(
        "samples.png"
    ),
    data: Data = None,
    device: DeviceName = None,
    as_json: Json = False,
) -> None:
    """Sample from a stored model and write a picture."""
    writers = {".png": export.save_png, ".gif": export.save_gif, ".npz": export.save_npz}
    write = writers[choice("out", out.suffix.lower(), writers)]
    store.check_place(out)
    chains: Chains = last(sample(Studio(choose(device), data), request))
    for name in chains.unheard:
        progress(f"cemviz: --{name} has no say with this model, sampler and start; it was left aside")
    write(chains, out)
    unknown = [None] * len(chains.asked)  # an encoder alone does not say what an image shows
    result = {
        "model": request.model,
        "sampler": request.sampler,
        "settings": chains.settings,
        "seed": request.seed,
        "out": str(out),
        "classes": [chains.card.classes[y] if chains.hinted else None for y in chains.asked],
        "predicted": unknown if chains.predicted is None else [chains.card.classes[y] for y in chains.predicted],
        "energy": chains.energy.tolist(),
        "confidence": unknown if chains.confidence is None else chains.confidence.tolist(),
        "distance": chains.series["distance"][-1].tolist(),
    }
    answer(result, as_json)


@app.command("sweep")
@asks(SweepRequest, "model", usual=usual)
def sweep_command(request: SweepRequest, *, data: Data = None, device: DeviceName = None, as_json: Json = False) -> None:
    """Sweep one or two of a sampler's numbers: the same chains under every setting, and what their ends are worth."""
    swept: Sweep = last(sweep(Studio(choose(device), data), request))
    if as_json:
        print(json.dumps(swept.table()))
        return
    print("\n".join(swept.lines()))


@app.command("restore")
@asks(RestoreRequest, "model")
def restore_command(
    request: RestoreRequest,
    *,
    out: Annotated[Path, typer.Option(help="Where to write: .png, the truth where it is known, damaged, restored.")] = Path(
        "restored.png"
    ),
    data: Data = None,
    device: DeviceName = None,
    as_json: Json = False,
) -> None:
    """Climb a binary net: take noise away, fill a hole, or move another picture into the data."""
    choice("out", out.suffix.lower(), [".png"])
    store.check_place(out)
    restored: Restored = last(restore(Studio(choose(device), data), request))
    save_png(restored, out)
    dyn, found = restored.dynamics, {} if restored.ssim is None else dict(zip(("before", "after"), restored.ssim, strict=True))
    result = {
        "model": request.model,
        "task": request.task,
        "image": request.image,
        "steps": dyn.steps,
        "step": dyn.step,
        "D": restored.series["D"][-1].tolist(),
        "distance": restored.series["distance"][-1].tolist(),
        "out": str(out),
        **{f"ssim_{name}": value for name, value in found.items()},
    }
    answer(result, as_json)


@app.command("detect")
@asks(DetectRequest, "model")
def detect_command(request: DetectRequest, *, data: Data = None, device: DeviceName = None, as_json: Json = False) -> None:
    """Ask the detectors of a net a class whether a picture is of the class it is taken for, as it is and attacked."""
    detected: Detected = last(detect(Studio(choose(device), data), request))
    answer(detected.facts, as_json, detected.lines())


@app.command("play")
@asks(PlayRequest, "preset")
def play_command(request: PlayRequest, *, as_json: Json = False) -> None:
    """Play a 2D game of the playground without a page."""
    root()
    answer(last(play(None, request)), as_json)


@app.command("import")
@asks(ImportRequest, "source")
def import_command(request: ImportRequest, *, data: Data = None, device: DeviceName = None, as_json: Json = False) -> None:
    """Store a net from elsewhere: recognised, measured, checked, with what its file does not say guessed and said."""
    made: Imported = last(bring(Studio(choose(device), data), request))
    answer(made.facts, as_json, made.lines())


@app.command("publish")
@asks(PublishRequest, "model", "repo")
def publish_command(request: PublishRequest, *, as_json: Json = False) -> None:
    """Put a stored model on the Hub, with its card as the README."""
    answer(last(hub.publish(Studio(), request)), as_json)


@app.command("pull")
@asks(PullRequest, "repo")
def pull_command(request: PullRequest, *, as_json: Json = False) -> None:
    """Fetch a model that was published from this project."""
    answer(last(hub.pull(Studio(), request)), as_json)


@app.command("assets")
def assets_command(
    dataset: Annotated[str, typer.Argument(help="A data set, see `list`.")],
    only: Annotated[str, typer.Option(help=f"{', '.join(assets.ASSETS)}, or several with commas.")] = ",".join(assets.ASSETS),
    data: Data = None,
    device: DeviceName = None,
    as_json: Json = False,
) -> None:
    """Make what ships beside the models: class Gaussians, energy grids, samples, rates under attack, tour, sweeps, runs."""
    result: dict[str, Any] = {}
    for step in assets.make(Studio(choose(device), data), dataset, root=data, only=tuple(only.split(","))):
        if not isinstance(step, Step):
            result[step["asset"]] = step.get("path") or f"skipped: {step['skipped']}"
            progress(f"{step['asset']}: {result[step['asset']]}")
        else:
            progress(str(step), again=True)
    answer(result, as_json)


@app.command("docs")
def docs_command(out: Annotated[Path, typer.Option(help="Folder to write to.")] = docs.FOLDER, as_json: Json = False) -> None:
    """Write the tables of docs/: the shipped models and the equations."""
    answer(last(docs.write(out)), as_json)


@app.command("reproduce")
@asks(ReproduceRequest, "target")
def reproduce_command(request: ReproduceRequest, *, device: DeviceName = None, as_json: Json = False) -> None:
    """Make a table of the papers: train what is missing, measure, and print the paper's number beside ours."""
    table = last(reproduce(Studio(choose(device), request.data), request))
    answer(table, as_json, as_text(table))


@app.command("bench")
def bench_command(
    name: Annotated[str | None, typer.Argument(help=f"One of {', '.join(BENCHES)} (default: all).")] = None,
    device: DeviceName = None,
    as_json: Json = False,
) -> None:
    """Measure what the library adds to bare passes of the same net, as ratios."""
    root()
    result = bench([choice("name", name, BENCHES)] if name else list(BENCHES), choose(device))
    lines = [
        f"{row['name']:<8} {row['ratio']:.3f} x ({row['low']:.3f} to {row['high']:.3f}), {row['verdict']} "
        f"(limit {row['limit']:g}): {row['title']}"
        for row in result["rows"]
    ]
    lines.append(f"{result['chains']} chains, {result['steps']} steps, {result['rounds']} rounds or more, {result['device']}")
    answer(result, as_json, lines)


@app.command("soak")
@asks(SoakRequest)
def soak_command(request: SoakRequest, *, as_json: Json = False) -> None:
    """Let many visitors use a page of this machine at once, and print what they met."""
    met = last(soak(request))
    columns = ("count", "p50", "p95", "most")
    table = {"seconds": dict(zip(columns, columns, strict=True)), **met["took"]}
    lines = [f"{what:<24}" + "".join(f"{row[column]:>8}" for column in columns) for what, row in table.items()]
    lines += [f"{count} x {fault}" for fault, count in met["faults"].items()] or ["no refusals, no errors"]
    held = [f"{size / 2**20:.0f} MiB" for size in met["memory"].values() if size]
    lines.append(f"visits: {met['visits']}; memory of the page: {' -> '.join(held) or 'not known'}")
    answer(met, as_json, lines)


@data_app.command("add")
@asks(AddRequest, "name", "folder")
def add_command(request: AddRequest, *, device: DeviceName = None, as_json: Json = False) -> None:
    """Check a folder of images, copy it below CEMVIZ_DATA, fit its seeds, and make its recipes known."""
    added = last(own.add(Studio(choose(device)), request))
    for line in added["warnings"]:
        progress(f"cemviz: {line}")
    counts = ", ".join(f"{count} {split}" for split, count in added["counts"].items())
    lines = [
        f"{added['title']}: {len(added['classes'])} classes, {counts} images of {' x '.join(map(str, added['shape']))}, in "
        f"{added['path']}",
        *(f"train it: python -m cemviz train {recipe} --scale evidence" for recipe in added["recipes"]),
    ]
    answer(added, as_json, lines)


def last(work: Iterator[Any]) -> Any:
    """The last result of a use-case, with its steps on standard error."""
    return follow(work, lambda step: progress(str(step), again=True))[-1]


def main() -> None:
    """Run the command line and turn errors into one line and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # where output is no UTF-8 (Windows, redirected), what it lacks is a ?
    try:
        with suppress(DataMissing):  # a mistyped folder is refused by the command that reads it
            own.enter(root())
        status = app(standalone_mode=False)  # some versions of typer return the code of an Exit, 130 for an interrupt
    except typer.Exit as stop:
        status = stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        status = 130
    except Exception as error:
        if os.environ.get("CEMVIZ_DEBUG") == "1":
            raise
        if type(error).__name__ != "NoArgsIsHelpError":  # the help stands there already
            alone = code(error) == 1 and not isinstance(error, Diverged)  # may have met this process only
            progress(f"cemviz: {_line(error)}", always=alone)
        sys.exit(code(error))
    if status == 130:
        progress("stopped; what was saved can be resumed with --resume")
    if status:
        sys.exit(status)


USAGE: type[Exception] = typer.BadParameter.__base__  # UsageError, which typer and click keep in another place in each version


def code(error: Exception) -> int:
    """2 for bad input, 1 for a failed run."""
    bad = (ValueError, LookupError, store.BrokenCheckpoint, USAGE)  # BadInput is the one, DataMissing and KeyError the other
    return 2 if isinstance(error, bad) and not isinstance(error, Diverged) else 1


def _line(error: Exception) -> str:
    if isinstance(error, USAGE):
        text = error.format_message()  # names the option
    else:
        text = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(str(text).split()) or type(error).__name__
