"""Rules for each field of a card, so that nothing is built, or allocated, from a card that cannot be right."""

import inspect
import json
import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from ...nets import NETS
from ...nets.encoder import TRUNKS
from ...nets.layers import Normalize
from ...nets.one_vs_rest import MEMBERS
from .files import BrokenCheckpoint

WORDS = {
    "role": ("model", "judge", "probe", "evidence"),
    "origin": ("recipe", "foreign"),
    "norm": ("l2", "linf"),
}

LARGEST_SIDE, MOST_CLASSES, MOST_WEIGHTS, DEEPEST, WIDEST = 4096, 100_000, 500_000_000, 300, 8192
"""Limits of an input's shape; of labels; of a net's weights, its depth and every other number of its arguments."""

WHOLE = 2**63 - 1

PASSED_TO = {"encoder": TRUNKS, "one-vs-rest": MEMBERS}
"""Nets that pass on arguments, and the trunks that may take them."""


def checked_fields(values: dict[str, Any]) -> dict[str, Any]:
    """The known fields of a card, lists as tuples.

    Raises:
        BrokenCheckpoint: the message is the fault: the field, its value and what is allowed.
    """
    for key, value in values.items():
        right, allowed = RULES[key]
        if not right(value):
            raise BrokenCheckpoint(f"{key} is {_short(value)}; {allowed}")
    values = values | {"shape": tuple(values["shape"]), "classes": tuple(values["classes"])}
    if math.prod(values["shape"]) > LARGEST_SIDE**2:
        raise BrokenCheckpoint(f"shape is {list(values['shape'])}; give at most {LARGEST_SIDE**2:,} numbers in all")
    _check_net(values)
    return values


def _check_net(values: dict[str, Any]) -> None:
    """Hold the net that the arguments make against the classes and the channels, without any weights."""
    if values["net"] not in NETS:
        raise BrokenCheckpoint(f"net is {_short(values['net'])}; choose one of {', '.join(NETS)}")
    outputs, channels = _measured(values["net"], json.dumps(values["net_args"], sort_keys=True))
    labelled = "outputs" in inspect.signature(NETS[values["net"]]).parameters and outputs != 1  # a single score has no names
    if channels is not None and channels != values["shape"][0]:
        raise BrokenCheckpoint(f"shape is {list(values['shape'])}; the net takes {channels} channels (net_args mean)")
    if labelled and outputs != len(values["classes"]):
        raise BrokenCheckpoint(
            f"classes is {_short(list(values['classes']))}; the net has {outputs} outputs: give as many names"
        )


def check_net(net: str, args: dict[str, Any]) -> None:
    """Refuse a net that cannot be built, or is too large to be, before any of it is allocated.

    Raises:
        BrokenCheckpoint: the message names the argument and what is allowed.
    """
    _measured(net, json.dumps(args, sort_keys=True))


@lru_cache(maxsize=256)
def _measured(net: str, text: str) -> tuple[int | None, int | None]:
    """Number of outputs and of channels of a net, None where it does not say; refuses one that cannot be built."""
    args = json.loads(text)
    _check_args(net, args)
    try:
        with torch.device("meta"):  # shapes without storage
            built = NETS[net](**args)
            weights = sum(tensor.numel() for tensor in (*built.parameters(), *built.buffers()))
    except Exception as error:  # whatever a builder, or torch, makes of odd numbers
        fault = " ".join(str(error).split())[:200] or type(error).__name__
        raise BrokenCheckpoint(f"net_args is {_short(args)}; {net} cannot be built from it: {fault}") from error
    if weights > MOST_WEIGHTS:
        raise BrokenCheckpoint(f"net_args is {_short(args)}; {net} would have {weights:,} weights, {MOST_WEIGHTS:,} at most")
    linear = [module for module in built.modules() if isinstance(module, nn.Linear)]
    normalize = next((module for module in built.modules() if isinstance(module, Normalize)), None)
    outputs = getattr(built, "outputs", linear[-1].out_features if linear else None)
    return outputs, None if normalize is None else len(normalize.mean)


def _check_args(net: str, args: dict[str, Any]) -> None:
    """Refuse arguments that a net does not know, and numbers that would keep a machine busy."""
    takes = dict(inspect.signature(NETS[net]).parameters)
    passed = [key for key, parameter in takes.items() if parameter.kind is inspect.Parameter.VAR_KEYWORD]
    for key in passed:  # what its trunk takes
        del takes[key]
        trunk, trunks = args.get("trunk", takes["trunk"].default), PASSED_TO[net]
        if not isinstance(trunk, str) or trunk not in trunks:
            raise BrokenCheckpoint(f"net_args trunk is {_short(trunk)}; choose one of {', '.join(trunks)}")
        takes |= {k: v for k, v in inspect.signature(trunks[trunk]).parameters.items() if k != "outputs"} | takes
    for key, value in args.items():
        if key not in takes:
            raise BrokenCheckpoint(f"net_args has {_short(key)}, which {net} does not know; it takes {', '.join(takes)}")
        usual, most = takes[key].default, {"depth": DEEPEST, "outputs": MOST_CLASSES}.get(key, WIDEST)
        if not _like(value, usual, most):
            example = list(usual) if isinstance(usual, tuple) else usual
            raise BrokenCheckpoint(f"net_args {key} is {_short(value)}; give one like {example!r}, numbers up to {most:,}")


def _like(value: Any, usual: Any, most: int) -> bool:
    """Whether a value has the type of the usual one, and its numbers are not too large."""
    if isinstance(usual, str | bool):
        return type(value) is type(usual)
    if isinstance(usual, list | tuple):
        return isinstance(value, list | tuple) and len(value) <= 64 and all(_number(n, -most, most) for n in value)
    if isinstance(usual, float):
        return _number(value, -most, most)
    return _whole(value, 0, most) or (usual is None and value is None)


def _short(value: Any) -> str:
    """A value as it stands in a message: what is long is cut."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]} ... {text[-10:]}"


def _number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high  # NaN is in no range


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _text(most: int, pattern: str = r"[^\x00-\x08\x0a-\x1f\x7f]*") -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and len(value) <= most and re.fullmatch(pattern, value) is not None


def _shape(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(_whole(side, 1, LARGEST_SIDE) for side in value)


def _classes(value: Any) -> bool:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MOST_CLASSES:
        return False
    return all(_text(200)(name) and name for name in value) and len(set(value)) == len(value)


def _metrics(value: Any) -> bool:
    def measured(row: Any) -> bool:
        number = row.get("value") if isinstance(row, dict) else row
        return isinstance(row, dict) and (number is None or isinstance(number, float) or _whole(number, -WHOLE, WHOLE))

    return isinstance(value, dict) and all(measured(row) for row in value.values())


_line_of_text = (_text(10_000), "give one line of text")
_object = (lambda value: isinstance(value, dict), "give an object")

RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": _line_of_text,
    "title": _line_of_text,
    "kind": (_text(40, r"[a-z][a-z-]*"), "give a word of small letters, such as classifier"),
    "net": _line_of_text,
    "net_args": _object,
    "data": (
        _text(200, r"(?!.*\.\.)[^/~\x00-\x1f\x7f][^\x00-\x1f\x7f]*"),
        "give the name of a data set, or of a folder of images",
    ),
    "shape": (_shape, f"give [channels, height, width], whole numbers from 1 to {LARGEST_SIDE}"),
    "classes": (_classes, "give a list of different names, one for each output of the net"),
    "recipe": _line_of_text,
    "scale": _line_of_text,
    "recipe_args": _object,
    "radius": (lambda v: _number(v, 0, math.inf), "give a number, at least 0"),
    "seed": (lambda v: _whole(v, -WHOLE, WHOLE), "give a whole number"),
    "steps": (lambda v: _whole(v, 0, WHOLE), "give a whole number, at least 0"),
    "seconds": (lambda v: _number(v, 0, 1e12), "give a number, at least 0"),
    "device": _line_of_text,
    "command": _line_of_text,
    "created": _line_of_text,
    "metrics": (_metrics, "give an object of objects, each with a number for its value"),
    "sha256": (_text(64, r"([0-9a-f]{64})?"), "give the 64 letters and digits of a hash"),
    "notes": (_text(100_000, r"(?s).*"), "give text"),
} | {
    key: (lambda v, words=words: isinstance(v, str) and v in words, f"choose one of {', '.join(words)}")
    for key, words in WORDS.items()
}
"""Field -> test of its value, and what to give where it fails."""
