"""Families of foreign nets: for each a function that reads our net out of names and shapes, and a row.

A function reads depth, width and classes and says which of our modules each of theirs is.  Shapes prove nothing: JEM's net has
those of a norm-free one of ours and other logits, since its shortcuts read something else, and another convolution halves the
picture.  So a match lists what no shape tells (`open`); who imports a net measures that, and says by what it was recognised.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import isqrt
from typing import Any

from torch import Tensor

from .wide_resnet import SHORTCUTS

State = Mapping[str, Tensor]

PARTS = ("bn1", "conv1", "bn2", "conv2")
"""Usual names in a pre-activated block, to which comes that of its shortcut."""


@dataclass(frozen=True, slots=True)
class Match:
    """Our net for a foreign one.

    Attributes:
        net, args: key of NETS and its arguments, without mean and std.
        places: their module -> ours.
        open: argument -> values between which no shape decides, the family's own first.
    """

    net: str
    args: dict[str, Any]
    places: dict[str, str]
    open: dict[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Family:
    """A row of `FAMILIES`.

    Attributes:
        by: names that it is recognised by, in words.
        read: tensors -> our net, or None where the names are not the family's.
        scale: the normalisation that its project trains with where the file has none: none, set, imagenet or symmetric.
    """

    title: str
    by: str
    read: Callable[[State], Match | None]
    scale: str = "set"


def _stages(state: State, block: str, part: str = "conv1", first: int = 1) -> list[int]:
    """Number of blocks of each stage, by names such as layer1.0."""
    sizes: list[int] = []
    while size := next(i for i in count() if f"{block.format(len(sizes) + first, i)}.{part}.weight" not in state):
        sizes.append(size)
    return sizes


def _blocks(sizes: list[int], block: str, place: int, first: int = 1) -> Iterator[tuple[str, str]]:
    """Names of all blocks in order, theirs and ours, which are numbered from `place`."""
    names = [block.format(stage + first, i) for stage, size in enumerate(sizes) for i in range(size)]
    yield from ((name, str(place + k)) for k, name in enumerate(names))


def _residual(head: str, skip: str) -> Callable[[State], Match | None]:
    """A ResNet as He et al. 2016a have it, whose last layer and shortcuts are called so."""

    def read(state: State) -> Match | None:
        if not {"conv1.weight", "bn1.weight", "layer1.0.conv1.weight", f"{head}.weight"} <= state.keys():
            return None
        sizes, stem = _stages(state, "layer{}.{}"), state["conv1.weight"].shape[-1]
        deep = "layer1.0.conv3.weight" in state
        pool, first = stem == 7, 4 + (stem == 7)
        places = {"conv1": "1", "bn1": "2"}
        for theirs, ours in _blocks(sizes, "layer{}.{}", first):
            for k in range(3 if deep else 2):
                places |= {f"{theirs}.conv{k + 1}": f"{ours}.body.{3 * k}", f"{theirs}.bn{k + 1}": f"{ours}.body.{3 * k + 1}"}
            places |= {f"{theirs}.{skip}.{k}": f"{ours}.shortcut.{k}" for k in (0, 1)}
        places[head] = str(first + sum(sizes) + 1)
        args = {"block": "bottleneck" if deep else "basic", "repeats": sizes, "stem": stem, "pool": pool}
        return Match("resnet", _sized(state, head, "conv1") | args, places)

    return read


def _pre_activated(state: State) -> Match | None:
    if "bn1.weight" in state or not {"conv1.weight", "layer1.0.bn1.weight", "linear.weight"} <= state.keys():
        return None
    sizes, last = _stages(state, "layer{}.{}"), "bn.weight" in state
    places = {"conv1": "1"} | _inside(_blocks(sizes, "layer{}.{}", 2), (*PARTS, "shortcut.0"))
    end = 2 + sum(sizes)
    places |= ({"bn": str(end)} if last else {}) | {"linear": str(end + 1 + 2 * last)}
    args = {"block": "pre-activated", "repeats": sizes, "last": last}
    return Match("resnet", _sized(state, "linear", "conv1") | args, places, {"shortcut": SHORTCUTS})


def _trades(state: State) -> Match | None:
    if not {"conv1.weight", "block1.layer.0.conv1.weight", "fc.weight"} <= state.keys():
        return None
    sizes, block = _stages(state, "block{}.layer.{}"), "block{}.layer.{}"
    return _wide(state, sizes, _inside(_blocks(sizes, block, 2), (*PARTS, "convShortcut")), "fc", "block1.layer.0.conv1")


def _jem(state: State) -> Match | None:
    outer = "f." if "f.conv1.weight" in state else ""  # the net lies in one that has two heads
    state = {name.removeprefix(outer): tensor for name, tensor in state.items()}
    if "layer1.0.bn1.weight" in state or not {"conv1.weight", "layer1.0.conv1.weight", "class_output.weight"} <= state.keys():
        return None
    sizes = _stages(state, "layer{}.{}")
    places = _inside(_blocks(sizes, "layer{}.{}", 2), (*PARTS, "shortcut.0"))
    match = _wide(state, sizes, places, "class_output", "layer1.0.conv1")
    args = match.args | {"norm": "none", "activation": "leaky", "shortcut": "raw", "halves": "second"}
    places = {theirs if theirs == "class_output" else f"{outer}{theirs}": ours for theirs, ours in match.places.items()}
    return Match(match.net, args, places)


def _gowal(state: State) -> Match | None:
    if not {"init_conv.weight", "layer.0.block.0.conv_0.weight", "logits.weight"} <= state.keys():
        return None
    sizes = _stages(state, "layer.{}.block.{}", "conv_0", 0)
    parts = ("batchnorm_0", "conv_0", "batchnorm_1", "conv_1", "shortcut")
    places = _inside(_blocks(sizes, "layer.{}.block.{}", 2, 0), parts)
    match = _wide(state, sizes, places, "logits", "layer.0.block.0.conv_0")
    places = {{"conv1": "init_conv", "bn1": "batchnorm"}.get(theirs, theirs): ours for theirs, ours in match.places.items()}
    return Match(match.net, match.args | {"pads": "after"}, places, {"activation": ("silu", "relu")})


def _inside(blocks: Iterator[tuple[str, str]], parts: Sequence[str]) -> dict[str, str]:
    """Places of what a pre-activated block holds: norm, convolution, norm, convolution, shortcut."""
    ours = ("before.0", "body.0", "body.1", "body.3", "shortcut")
    return {f"{block}.{part}": f"{place}.{inner}" for block, place in blocks for part, inner in zip(parts, ours, strict=True)}


def _wide(state: State, sizes: list[int], inside: dict[str, str], head: str, first: str) -> Match:
    end = 2 + sum(sizes)
    args = {
        "outputs": state[f"{head}.weight"].shape[0],
        "depth": 6 * sizes[0] + 4,
        "widen": state[f"{first}.weight"].shape[0] // 16,
    }
    return Match("wide-resnet", args, {"conv1": "1", "bn1": str(end), head: str(end + 3)} | inside)


def _sized(state: State, head: str, stem: str) -> dict[str, int]:
    return {"outputs": state[f"{head}.weight"].shape[0], "width": state[f"{stem}.weight"].shape[0]}


def _project_net(state: State) -> Match | None:
    """A net of this project without its card, which alone knows the activation."""
    numbers = sorted({int(match[1]) for name in state if (match := re.match(r"([0-9]{1,3})\.", name))})
    linear = max(numbers, default=0)
    if "1.weight" not in state or state["1.weight"].dim() != 4 or f"{linear}.weight" not in state:
        return None
    places = {name.rpartition(".")[0]: name.rpartition(".")[0] for name in state}
    open_: dict[str, tuple[Any, ...]] = {"activation": ("relu", "silu", "leaky")}
    blocks = [i for i in numbers if 2 <= i < linear and f"{i}.body.0.weight" in state]
    (width, _, stem, _), (outputs, inside) = state["1.weight"].shape, state[f"{linear}.weight"].shape
    if not blocks:
        if "6.weight" not in state or state["6.weight"].dim() != 2:
            return None
        last, hidden = state["3.weight"].shape[0], state["6.weight"].shape[0]
        args = {"width": last, "hidden": hidden, "side": 4 * isqrt(state["6.weight"].shape[1] // last)}
        return Match("small-cnn", args | {"outputs": outputs}, places, open_ | {"activation": ("silu", "relu", "leaky")})
    normed = any("running_mean" in name for name in state)
    norm = "double" if any(".norms." in name for name in state) else "batch" if normed else "none"
    common = {"outputs": outputs, "norm": norm}
    widths = [state[f"{i}.body.0.weight"].shape[0] for i in blocks]
    sizes = [widths.count(w) for w in sorted(set(widths))]
    if blocks[0] == 2 and widths[0] != width:
        return Match("wide-resnet", common | {"depth": 6 * sizes[0] + 4, "widen": widths[0] // 16}, places, open_)
    if stem == 5:
        flat = isqrt(inside // widths[-1])
        args = {"width": width, "depth": len(blocks), "flat": None if flat == 1 else flat}
        return Match("small-resnet", common | args, places, open_)
    block = "pre-activated" if blocks[0] < 4 else "bottleneck" if f"{blocks[0]}.body.6.weight" in state else "basic"
    args = {"width": width, "block": block, "repeats": sizes, "stem": stem, "pool": blocks[0] in (3, 5)}
    if block == "pre-activated":
        args |= {"last": f"{blocks[-1] + 1}.weight" in state and linear != blocks[-1] + 2}
        open_ |= {"shortcut": SHORTCUTS}
    return Match("resnet", common | args, places, open_)


FAMILIES: dict[str, Family] = {
    "robustness": Family(
        "a ResNet of 32 × 32 images (robustness, RobustBench)", "layer1.0, shortcut and linear", _residual("linear", "shortcut")
    ),
    "torchvision": Family("a ResNet of torchvision", "layer1.0, downsample and fc", _residual("fc", "downsample"), "imagenet"),
    "preact-resnet": Family(
        "a pre-activated ResNet (RobustBench)", "layer1.0.bn1 and linear, without a first norm", _pre_activated
    ),
    "trades": Family("a WideResNet (TRADES, RobustBench)", "block1.layer.0 and fc", _trades, "none"),
    "gowal": Family("a WideResNet of Gowal et al. (RobustBench)", "init_conv, layer.0.block.0 and logits", _gowal),
    "jem": Family("a WideResNet of JEM", "f.layer1.0 and class_output, without norms", _jem, "symmetric"),
    "cemviz": Family("a net of this project", "numbered layers", _project_net),
}
"""Every family of nets that is recognised, in the order in which they are tried."""
