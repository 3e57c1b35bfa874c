"""The program itself, the usual options of its commands, and where words and results go."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from ..backend.train import team as distributed
from ..backend.use_case import follow

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The command line: the studio's use-cases, with progress on standard error and results on standard output.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Data = Annotated[str | None, typer.Option(help="Root of local image folders (default: CEMVIZ_DATA).")]
DeviceName = Annotated[str | None, typer.Option("--device", help="cuda, cuda:N, mps or cpu (default: the best there is).")]


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


def last(work: Iterator[Any]) -> Any:
    """The last result of a use-case, with its steps on standard error."""
    return follow(work, lambda step: progress(str(step), again=True))[-1]
