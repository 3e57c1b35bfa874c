"""The Python and the command line that make a picture again, from the request behind it."""

import shlex
from dataclasses import fields
from typing import Any

from .fields import as_python, changes
from .requests import (
    AttackedRequest,
    AttributionRequest,
    DetectRequest,
    EvaluateRequest,
    LandscapeRequest,
    PlayRequest,
    RestoreRequest,
    RobustnessRequest,
    SampleRequest,
    SweepRequest,
)

USES: dict[type, tuple[str, str]] = {
    SampleRequest: ("sample.chains", "sample"),
    SweepRequest: ("sample.sweep", "sweep"),
    EvaluateRequest: ("evaluate", "evaluate"),
    LandscapeRequest: ("look.landscape", "landscape"),
    RobustnessRequest: ("attack.rates", "robustness"),
    AttackedRequest: ("attack.examples", "attacked"),
    RestoreRequest: ("look.restore", "restore"),
    DetectRequest: ("attack.detect", "detect"),
    AttributionRequest: ("look.attribution", "attribution"),
    PlayRequest: ("play", "play"),
}
"""Request -> module and function of its use-case."""

COMMANDS = {
    SampleRequest: "sample",
    SweepRequest: "sweep",
    EvaluateRequest: "evaluate",
    RestoreRequest: "restore",
    DetectRequest: "detect",
    PlayRequest: "play",
}
"""Request -> its command, for those that are commands; the first field is written without a name."""


def python(*requests: Any) -> str:
    """A script that runs these requests, all of one kind, and keeps their results."""
    module, function = USES[type(requests[0])]
    name = type(requests[0]).__name__
    runs = "\n".join(f"results.append(follow({function}(studio, {as_python(each)})))" for each in requests)
    return (
        f"from cemviz.backend.{module} import {function}\nfrom cemviz.backend.requests import {name}\n"
        "from cemviz.backend.studio import Studio\nfrom cemviz.backend.use_case import follow\n\n"
        f"studio, results = Studio(), []\n{runs}\n"
    )


def command(request: Any) -> str | None:
    """The command line of a request; None where the use-case is no command."""
    if type(request) not in COMMANDS:
        return None
    first, values = fields(request)[0].name, changes(request)
    words = [f"python -m cemviz {COMMANDS[type(request)]}", shlex.quote(str(getattr(request, first)))]
    for name, value in values.items():
        if name != first:
            option = f"--{name.replace('_', '-')}"
            words.append(option if value is True else f"{option} {shlex.quote(_text(value))}")
    return " ".join(words)


def _text(value: Any) -> str:
    """A value as an option has it: commas between parts, semicolons between lists of them."""
    if not isinstance(value, tuple):
        return str(value)
    between = ";" if any(isinstance(part, tuple) for part in value) else ","
    return between.join(map(_text, value))


def listing(*requests: Any) -> str:
    """Both, as one listing."""
    commands = [line for each in requests if (line := command(each))]
    return python(*requests) + (
        "\n# or on the command line:\n" + "\n".join(f"#   {line}" for line in commands) if commands else ""
    )
