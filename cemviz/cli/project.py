"""Commands of the project itself: what there is, what ships, the papers' tables, speed and load."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..attacks import ATTACKS
from ..backend import assets, docs, peers, store
from ..backend.bench import BENCHES, bench
from ..backend.checks import choice
from ..backend.device import choose
from ..backend.evaluate import METRICS
from ..backend.presets import LANDSCAPE, PLAY, SAMPLE
from ..backend.requests import ReproduceRequest, SoakRequest
from ..backend.sample.columns import COLUMNS
from ..backend.soak.run import soak
from ..backend.studio import Studio
from ..backend.tables import EXPERIMENTS
from ..backend.tables.reproduce import as_text, reproduce
from ..backend.use_case import Step
from ..data.images import DATASETS, root
from ..metrics.robustness import PROTOCOLS
from ..samplers import SAMPLERS
from ..training.recipes import RECIPES
from .options import asks
from .shared import Data, DeviceName, Json, answer, app, last, progress


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
    name: Annotated[str | None, typer.Argument(help=f"{', '.join(BENCHES)} or peers (default: all but peers).")] = None,
    device: DeviceName = None,
    as_json: Json = False,
) -> None:
    """Measure what the library adds to bare passes of the same net, or against its peers, as ratios."""
    root()
    chosen = choose(device)
    if name == "peers":
        rows = peers.rows()
    else:
        rows = {choice("name", name, [*BENCHES, "peers"]): BENCHES[name]} if name else BENCHES
    result = bench(rows, chosen)
    width = max(map(len, rows))
    lines = [
        f"{row['name']:<{width}} {row['ratio']:.3f} x ({row['low']:.3f} to {row['high']:.3f}), {row['verdict']} "
        f"(limit {row['limit']:g}): {row['title']}"
        for row in result["rows"]
    ]
    lines.append(f"{result['rounds']} rounds or more, {result['device']}")
    answer(result, as_json, lines)


@app.command("soak")
@asks(SoakRequest)
def soak_command(request: SoakRequest, *, as_json: Json = False) -> None:
    """Let many visitors use a page of this machine at once, and print what they met."""
    met = last(soak(request))
    columns = ("count", "p50", "p95", "most")
    table = {"seconds": dict(zip(columns, columns, strict=True)), **met["took"]}
    lines = [f"{event:<24}" + "".join(f"{row[column]:>8}" for column in columns) for event, row in table.items()]
    lines += [f"{count} x {fault}" for fault, count in met["faults"].items()] or ["no refusals, no errors"]
    sizes = [f"{size / 2**20:.0f} MiB" for size in met["memory"].values() if size]
    lines.append(f"visits: {met['visits']}; memory of the page: {' -> '.join(sizes) or 'not known'}")
    answer(met, as_json, lines)
