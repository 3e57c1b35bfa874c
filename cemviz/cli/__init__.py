"""The command line: the studio's use-cases, with progress on standard error and results on standard output.

`--json` prints exactly one JSON object.  Bad input is one line and exit code 2, a failed run one line and exit code 1;
CEMVIZ_DEBUG=1 shows the traceback instead.
"""

import io
import os
import sys
from contextlib import suppress

import typer

from ..backend import own, store
from ..data.images import DataMissing, root
from ..dynamics import Diverged
from . import models, pictures, project  # noqa: F401 - their commands join the program
from .shared import app, progress


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
