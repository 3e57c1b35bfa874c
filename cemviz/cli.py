"""The command line: the studio's use-cases, with progress on standard error and results on standard output.

`--json` prints exactly one JSON object.  Bad input is one line and exit code 2, a failed run one line and exit code 1; CEMVIZ_DEBUG=1
shows the traceback instead.
"""

import json
import os
import sys
from typing import Annotated, Any

import typer

from .backend import store
from .backend.checks import BadInput
from .backend.device import choose
from .backend.evaluate import EvaluateRequest, evaluate, summary
from .backend.train import TrainRequest, train, with_metric
from .data.images import DataMissing
from .dynamics import Diverged

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__.splitlines()[0])

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Data = Annotated[str | None, typer.Option(help="Root of local image folders (default: CEMVIZ_DATA).")]
DeviceName = Annotated[str | None, typer.Option("--device", help="cuda, cuda:N, mps or cpu (default: the best there is).")]
Seed = Annotated[int, typer.Option(help="Of every random draw.")]


def say(text: str, *, again: bool = False) -> None:
    """Progress on standard error; `again` writes over the last line where that is a terminal."""
    if again and not sys.stderr.isatty():
        return
    print(text, end="\r" if again else "\n", file=sys.stderr, flush=True)


def answer(result: dict[str, Any], as_json: bool) -> None:
    """The result on standard output: one JSON object, or a line a field."""
    print(json.dumps(result, ensure_ascii=False) if as_json else "\n".join(f"{k}: {v}" for k, v in result.items()))


@app.command("train")
def train_command(
    recipe: Annotated[str, typer.Argument(help="A recipe, see `list`.")],
    scale: Annotated[str, typer.Option(help="evidence, laptop, shipped or paper.")] = "laptop",
    out: Annotated[str | None, typer.Option(help="Name of the model (default: the recipe's).")] = None,
    steps: Annotated[int | None, typer.Option(help="Number of updates.")] = None,
    seed: Seed = 0,
    changes: Annotated[list[str], typer.Option("--set", help="Replace a field of the recipe: field=value.")] = [],  # noqa: B006
    resume: Annotated[bool, typer.Option(help="Go on from the saved state, if there is one.")] = False,
    data: Data = None,
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
    chosen = choose(device)
    last: dict[str, Any] = {}
    for last in train(TrainRequest(recipe, scale, out, seed, asked, data, resume), chosen):
        terms = ", ".join(f"{k} {v:.4f}" for k, v in last["terms"].items())
        line = f"step {last['step']}/{last['steps']}  {terms}  lr {last['lr']:.2e}  {last['left'] / 60:.1f} min left"
        say(line, again=last["step"] % 100 != 0 and last["step"] != last["steps"])
    result = {k: last[k] for k in ("model", "path", "steps", "seconds", "terms")}
    for metric in ("accuracy", "robust"):
        say(f"measuring {metric} ...")
        measured = _last(evaluate(EvaluateRequest(last["model"], metric, seed=seed, data=data), chosen))
        with_metric(last["model"], metric, summary(measured))
        result[metric] = measured["value"]
    answer(result, as_json)


@app.command("evaluate")
def evaluate_command(
    model: Annotated[str, typer.Argument(help="A stored model, see `list`.")],
    metric: Annotated[str, typer.Option(help="accuracy or robust.")] = "accuracy",
    attack: Annotated[str, typer.Option(help="An untargeted attack, see `list`.")] = "apgd",
    norm: Annotated[str | None, typer.Option(help="l2 or linf (default: the card's).")] = None,
    radius: Annotated[float | None, typer.Option(help="ε, in units of the pixel range (default: the card's).")] = None,
    steps: Annotated[int | None, typer.Option(help="K (default: the attack's).")] = None,
    count: Annotated[int, typer.Option(help="Number of test images.")] = 1000,
    seed: Seed = 0,
    data: Data = None,
    device: DeviceName = None,
    as_json: Json = False,
) -> None:
    """Measure a stored model on its test images."""
    request = EvaluateRequest(model, metric, attack, norm, radius, steps, count, seed, data)
    answer(_last(evaluate(request, choose(device))), as_json)


def _last(results: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for result in results:
        if "done" in result:
            say(f"{result['done']}/{result['count']} images, {result['value']:.3f} so far", again=True)
    return result


def main() -> None:
    """Run the command line and turn errors into one line and an exit code."""
    try:
        app(standalone_mode=False)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        say("stopped; what was saved can be resumed with --resume")
        sys.exit(130)
    except Exception as error:
        if os.environ.get("CEMVIZ_DEBUG") == "1":
            raise
        say(f"cemviz: {_line(error)}")
        sys.exit(code(error))


def code(error: Exception) -> int:
    """2 for bad input, 1 for a failed run."""
    bad = (BadInput, KeyError, ValueError, LookupError, store.BrokenCheckpoint, DataMissing, typer.BadParameter)
    return 2 if isinstance(error, bad) and not isinstance(error, Diverged) else 1


def _line(error: Exception) -> str:
    text = error.args[0] if isinstance(error, KeyError) and error.args else getattr(error, "message", None) or str(error)
    return " ".join(str(text).split()) or type(error).__name__
