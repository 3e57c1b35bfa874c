"""Commands that make, measure, fetch and hand on models and data sets."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from ..backend import own, store
from ..backend.checks import BadInput
from ..backend.device import choose
from ..backend.evaluate import evaluate, summary
from ..backend.foreign import hub
from ..backend.foreign.bring import bring
from ..backend.foreign.imported import Imported
from ..backend.kinds import kind_of
from ..backend.requests import AddRequest, EvaluateRequest, ImportRequest, PublishRequest, PullRequest, TrainRequest
from ..backend.studio import Studio
from ..backend.train import team as distributed
from ..backend.train.interrupt import Interrupt
from ..backend.train.run import Model, train
from ..data.images import DataMissing
from .options import asks
from .shared import Data, DeviceName, Json, answer, app, last, progress

data_app = typer.Typer(no_args_is_help=True, help="Data sets of one's own.")
app.add_typer(data_app, name="data")


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
    fields: dict[str, Any] = {} if steps is None else {"steps": steps}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise BadInput("set", f"--set is {change!r}; give field=value, such as --set lr=0.001")
        fields[key] = value
    studio = Studio(choose(device), request.data)
    if note := distributed.advice():
        progress(f"cemviz: {note}")
    model = _trained(studio, replace(request, changes=fields))
    distributed.leave()
    if model is None:
        return
    result = {
        "model": model.name, "path": model.path, "steps": model.end.total,
        "seconds": model.end.seconds, "terms": model.end.terms,
    }  # fmt: skip
    card = store.read_card(model.name)
    if not kind_of(card).classifies:
        progress(f"it has no accuracy of its own: {kind_of(card).instead.format(name=card.name, recipe=request.recipe)}")
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
            progress(str(item), again=item.done % 100 != 0 and item.done != item.total)
            if item.unsaved:
                progress(f"cemviz: {item.unsaved}")
            if interrupt.signalled:
                work.close()  # saves the state
                raise KeyboardInterrupt
    return model


@app.command("evaluate")
@asks(EvaluateRequest, "model")
def evaluate_command(request: EvaluateRequest, *, data: Data = None, device: DeviceName = None, as_json: Json = False) -> None:
    """Measure a stored model on its test images."""
    answer(last(evaluate(Studio(choose(device), data), request)), as_json)


@app.command("import")
@asks(ImportRequest, "source")
def import_command(request: ImportRequest, *, data: Data = None, device: DeviceName = None, as_json: Json = False) -> None:
    """Store a net from elsewhere: recognised, measured, checked, with what its file does not say guessed and said."""
    net: Imported = last(bring(Studio(choose(device), data), request))
    answer(net.facts, as_json, net.lines())


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
