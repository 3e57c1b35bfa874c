"""A source as a net of ours: recognised, or built by its project's code or by name, and taken apart."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...nets import build
from ...nets.adapters import Unrecognised, normalisation, recognise, stripped, unwrapped, weights
from ...nets.exported import disassembled, scripted, traced
from ...nets.families import FAMILIES
from ...nets.graph import Program
from ...nets.layers import Normalize
from ..checks import BadInput
from ..requests import ImportRequest
from ..stored.fields import check_net
from ..stored.files import BrokenCheckpoint
from ..studio import Studio
from .builders import by_shapes, coded, named
from .guesses import Scale, known, shapes
from .reading import ANY_BATCH, PROGRAM, Contents, hosted

Disassembled = tuple[Program, dict[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Foreign:
    """A net from elsewhere as one of ours, its normalisation apart.

    Attributes:
        net, args: key of NETS and its arguments, without mean and std.
        open: argument -> values between which no shape decides.
        state: its weights, by our names.
        shape: of an input.
        by: what it was recognised by, in words.
        unused: tensors of the file that have no place in it.
        scale: its file's mean and std, or None.
        usual: the normalisation that its family trains with, see `guesses.scales`.
        library: that of the library which builds it, or None.
    """

    net: str
    args: dict[str, Any]
    state: dict[str, Tensor]
    shape: tuple[int, int, int]
    by: str
    open: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    scale: Scale | None = None
    usual: str = "set"
    library: Scale | None = None

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return self.args["outputs"]

    def built(self, scale: Scale, **choices: Any) -> nn.Module:
        """The net with a normalisation and what was left open, in eval mode and frozen.

        Raises:
            BadInput: it is too large.
        """
        args = self.args_with(scale, **choices)
        try:
            check_net(self.net, args)
        except BrokenCheckpoint as fault:
            raise BadInput("source", str(fault)) from fault
        net = build(self.net, **args)
        missing = [
            key for key in net.load_state_dict(self.state, strict=False).missing_keys if not key.endswith((".mean", ".std"))
        ]
        if missing:
            raise BadInput("source", f"the file lacks {missing[0]}; give all weights of the net")
        return net.eval().requires_grad_(False)

    def args_with(self, scale: Scale, **choices: Any) -> dict[str, Any]:
        """Arguments of the net, as a card holds them."""
        usual = {name: values[0] for name, values in self.open.items()}
        return self.args | usual | choices | {"mean": list(scale[0]), "std": list(scale[1])}


def rescale(net: nn.Module, scale: Scale) -> None:
    """Give a net another normalisation, in place."""
    layer = next(module for module in net.modules() if isinstance(module, Normalize))
    for buffer, values in zip((layer.mean, layer.std), scale, strict=True):
        buffer.copy_(torch.tensor(values, dtype=buffer.dtype).view_as(buffer))


def foreign(studio: Studio, request: ImportRequest, contents: Contents) -> Foreign:
    """The net of a file.

    Raises:
        BadInput: of no family, or not to be taken apart; with what to do.
    """
    if contents.form != "tensors":
        return _of_program(studio, request, contents)
    try:
        state = weights(contents.value)
    except Unrecognised as fault:
        raise BadInput("source", f"{Path(request.source).name}: {fault}") from fault
    bare, _ = stripped(state)
    constants = normalisation(bare)
    states = [state, *unwrapped(bare)]
    if request.code:
        return _of_module(studio, request, coded(request.code), f"built by {Path(request.code).name}", states, constants)
    if request.arch:
        return _of_library(studio, request, request.arch, f"built by {request.arch}", states, constants)
    try:
        read = recognise(state)
    except Unrecognised as fault:
        if (arch := by_shapes(states)) is not None:
            return _of_library(studio, request, arch, f"{arch}, by the names and shapes of its tensors", states, constants)
        raise BadInput("source", f"{fault}; {_ways()}") from fault
    family, match = FAMILIES[read.family], read.match
    tensors = {k: v.detach().float() if v.is_floating_point() else v.detach() for k, v in read.state.items()}
    shape = shapes(studio, request.dataset, request.side, read.channels)
    large = match.args.get("stem") == 7 and request.side is None and request.dataset is None
    large = large and not known(studio, shape[0], match.args["outputs"])
    return Foreign(
        match.net, match.args, tensors, shape[-1 if large else 0], f"{family.title}, by {family.by}", match.open, read.unused,
        read.normalisation, family.scale,
    )  # fmt: skip


def _ways() -> str:
    """Advice for weights of a net that nothing here knows."""
    arch = "name its architecture, timm:NAME or torchvision:NAME (--arch; on the page: architecture)"
    if hosted():
        return f"{arch}, or import it on your own machine, which also reads nets of your own code"
    return f"{arch}, or {PROGRAM}; the command line also takes what builds it: --code FILE.py:FUNCTION"


def _of_program(studio: Studio, request: ImportRequest, contents: Contents) -> Foreign:
    program = contents.value
    if contents.form == "exported":
        exported = _tried(lambda: disassembled(program))
        shape = next(
            node.meta["val"].shape for node in program.graph.nodes if node.name == program.graph_signature.user_inputs[0]
        )
        if isinstance(shape[0], int):
            raise BadInput("source", f"it was exported for batches of {shape[0]} alone; export it with {ANY_BATCH}")
        return _runnable(exported, tuple(map(int, shape[1:])), "a program of torch.export")
    channels = _channels(dict(program.named_parameters()))
    tried = shapes(studio, request.dataset, request.side, channels)
    return _first(tried, lambda shape: scripted(program, shape), "a TorchScript program")


def _of_library(
    studio: Studio, request: ImportRequest, arch: str, by: str, states: list[dict[str, Tensor]], constants: Scale | None
) -> Foreign:
    """A net that a library builds by name."""
    net, usual, shape = named(arch, states)
    chosen = request.side is not None or request.dataset is not None
    made = _of_module(studio, request, net, by, states, constants, usual, None if chosen else shape)
    small = shapes(studio, request.dataset, request.side, made.shape[0])[0]
    if not chosen and made.shape != small and known(studio, small, made.outputs):
        with suppress(BadInput):  # a net of patches takes images of one size
            return _of_module(studio, request, net, by, states, constants, usual, small)
    return made


def _of_module(
    studio: Studio, request: ImportRequest, net: nn.Module, by: str, states: list[dict[str, Tensor]], constants: Scale | None,
    usual: Scale | None = None, shape: tuple[int, int, int] | None = None,
) -> Foreign:  # fmt: skip
    """A built net with a file's weights.

    Args:
        states: the file's tensors, as they are and without the names of what is around the net.
        constants: of a layer of the file that normalises.
        usual, shape: its library's normalisation, and the shape of its images.
    """
    fitted = _fitted(net, states)
    left = net.load_state_dict(fitted, strict=False)
    if left.missing_keys:
        raise BadInput("source", f"the file lacks {left.missing_keys[0]}, which the net {by} has")
    scale = None if fitted is states[0] else constants  # the layer stood around the net
    net = net.float().eval()
    tried = [shape] if shape else shapes(studio, request.dataset, request.side, _channels(net.state_dict()))
    first = _first(tried, lambda shape: traced(net, shape), by)
    return Foreign(
        first.net, first.args, first.state, first.shape, by, unused=tuple(left.unexpected_keys), scale=scale, library=usual
    )


def _fitted(net: nn.Module, states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors by the net's own names: as the file has them, or without the names of what is around the net."""
    wanted = net.state_dict()
    fitted = next((named for named in states if wanted.keys() <= named.keys()), states[0])
    for name, tensor in wanted.items():
        if name in fitted and fitted[name].shape != tensor.shape:
            shape = [list(part.shape) for part in (fitted[name], tensor)]
            fault = f"{name} has shape {shape[0]} in the file and {shape[1]} in the net that is built for it"
            raise BadInput("source", f"{fault}; where yours was built with other arguments, {PROGRAM}")
    return fitted


def _first(tried: list[tuple[int, int, int]], take: Callable[[tuple[int, int, int]], Disassembled], by: str) -> Foreign:
    """The net for the first shape that it takes."""
    faults = []
    for shape in tried:
        try:
            return _runnable(take(shape), shape, by)
        except ValueError as error:
            faults.append(f"for images of {' × '.join(map(str, shape))}, {error}")
    raise BadInput("source", f"{faults[0]}; give --side or --dataset if the images are others")


def _tried(take: Callable[[], Disassembled]) -> Disassembled:
    try:
        return take()
    except ValueError as error:
        raise BadInput("source", str(error)) from error


def _runnable(program: Disassembled, shape: tuple[int, int, int], by: str) -> Foreign:
    """A program as a net, once it is seen to give logits."""
    text, state = json.dumps(program[0], separators=(",", ":"), allow_nan=False), program[1]
    plain = {"mean": [0.0] * shape[0], "std": [1.0] * shape[0]}
    try:
        net = build("graph", **plain, outputs=1, program=text)
        net.load_state_dict(state, strict=False)
        with torch.no_grad():
            f = net.eval()(torch.rand(3, *shape, generator=torch.Generator().manual_seed(0)))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise BadInput("source", f"the net cannot be run: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(f, Tensor) or f.dim() != 2 or len(f) != 3 or f.shape[1] < 2:
        result = tuple(f.shape) if isinstance(f, Tensor) else type(f).__name__
        raise BadInput("source", f"the net returns {result} for 3 images; give one that returns logits, (3, classes)")
    return Foreign("graph", {"outputs": f.shape[1], "program": text}, state, shape, by, usual="none")


def _channels(state: dict[str, Tensor]) -> int:
    """Channels that the first kernels read; a net that begins with a matrix reads grey."""
    return next((t.shape[1] for t in state.values() if t.dim() == 4 and t.shape[1] in (1, 3)), 1)
