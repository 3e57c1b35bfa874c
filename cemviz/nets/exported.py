"""Any module as the program of a `Graph`: traced once by torch.export, then neither its package nor its code is needed."""

import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .graph import IMAGES, ON_NUMBERS, Program, attribute, used

IDLE = frozenset({"_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range", "sym_constrain_range_for_size"})
"""Operations of a program that only check, which are left out."""


def scores(output: Any) -> Tensor:
    """The logits among what a net returns: it, what is called logits, else the first (B, C) tensor of a tuple or dict.

    Raises:
        ValueError: there is none.
    """
    parts: list[Any] = [output]
    if isinstance(output, Mapping):
        parts = [output["logits"]] if "logits" in output else list(output.values())
    elif isinstance(output, list | tuple):
        parts = list(output)
    for part in parts:
        if isinstance(part, Tensor) and (part is output or (part.dim() == 2 and part.shape[1] > 1)):
            return part
    raise ValueError(f"the net returns a {type(output).__name__} without a tensor of logits, (B, classes)")


class Unpacked(nn.Module):
    """A net whose output is its logits alone, see `scores`."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return scores(self.net(x))


def traced(net: nn.Module, shape: tuple[int, int, int]) -> tuple[Program, dict[str, Tensor]]:
    """The program of a net in eval mode, for batches of any size, and its tensors by the names of a `Graph`'s state.

    Args:
        net: images (B, *shape) -> logits, or a tuple or dict that holds them.
    Raises:
        ValueError: torch.export cannot follow it, or see `disassembled`.
    """
    if any(module.training for module in net.modules()):
        raise ValueError("the net is in train mode: its answers depend on the batch; call net.eval(), then try again")
    whole = Unpacked(net).eval()
    with _quiet(), torch.no_grad():
        try:
            exported = torch.export.export(whole, (_images(shape),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        except Exception as error:  # whatever a tracer makes of somebody's code
            raise ValueError(f"torch.export cannot follow the net: {_line(error)}") from error
    program, tensors = disassembled(exported)
    inside = {name.removeprefix("net."): row for name, row in program["tensors"].items()}
    return _renamed(program, "net.") | {"tensors": inside}, {k.removeprefix("net/"): v for k, v in tensors.items()}


def scripted(net: torch.jit.ScriptModule, shape: tuple[int, int, int]) -> tuple[Program, dict[str, Tensor]]:
    """The program of a TorchScript net, see `traced`."""
    from torch._export.converter import TS2EPConverter  # torch names it in the error that export gives for such a net

    with _quiet(), torch.no_grad():
        try:
            exported = TS2EPConverter(net.eval(), (_images(shape),)).convert()
        except Exception as error:
            raise ValueError(f"this TorchScript cannot be taken apart: {_line(error)}; save net.state_dict()") from error
    return disassembled(exported)


def _images(shape: tuple[int, int, int]) -> Tensor:
    return torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))


def _line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave aside what torch says to those who write compilers."""
    were = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(were)


def _renamed(program: Program, prefix: str) -> dict[str, Any]:
    """The program whose steps name its tensors without a prefix."""

    def short(value: Any) -> Any:
        if isinstance(value, list):
            return [short(part) for part in value]
        if isinstance(value, dict):
            return {k: v.removeprefix(prefix) if k == "of" else short(v) for k, v in value.items()}
        return value

    return {**program, "steps": short(program["steps"])}


def disassembled(exported: torch.export.ExportedProgram) -> tuple[Program, dict[str, Tensor]]:
    """The program of an exported net, and its tensors by the names of a `Graph`'s state.

    Args:
        exported: of one input, images, and one output, logits.
    Raises:
        ValueError: several inputs or outputs, train mode, or an operation that is not among OPERATIONS.
    """
    signature = exported.graph_signature
    stored = {**signature.inputs_to_parameters, **signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}
    if len(signature.user_inputs) != 1 or len(signature.user_outputs) != 1:
        raise ValueError(
            f"it has {len(signature.user_inputs)} inputs and {len(signature.user_outputs)} outputs; export one of each"
        )
    inputs = {name: {"of": place} for name, place in stored.items()} | {signature.user_inputs[0]: {"of": IMAGES}}
    steps = [_step(node, inputs) for node in exported.graph.nodes if node.op == "call_function" and _name(node) not in IDLE]
    if other := next(
        (node for node in exported.graph.nodes if node.op not in ("call_function", "placeholder", "output")), None
    ):
        raise ValueError(f"the net uses {other.op} {other.target}, which is none of the operations that are run here")
    needed = {name for step in steps for name in used(step)}
    values = {**exported.state_dict, **exported.constants}
    tensors = {place: values[place].detach() for place in stored.values() if place in needed}
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    weights = set(signature.inputs_to_parameters.values())
    described = {k: [list(v.shape), str(v.dtype).removeprefix("torch."), k in weights] for k, v in tensors.items()}
    program = {"steps": steps, "result": f"%{signature.user_outputs[0]}", "tensors": described}
    return program, {attribute(name): tensor for name, tensor in tensors.items()}


def _name(node: torch.fx.Node) -> str:
    return str(node.target).removeprefix("aten.").partition(".")[0]


def _step(node: torch.fx.Node, inputs: Mapping[str, Any]) -> list[Any]:
    target = node.target
    name = target.__name__ if target in ON_NUMBERS.values() else str(target).removeprefix("aten.")
    if _name(node) in ("batch_norm", "dropout", "feature_dropout") and node.args[2 if "dropout" in name else 5]:
        raise ValueError("it was exported in train mode, where its answers depend on the batch or on chance; export net.eval()")
    named = {k: _plain(v, inputs) for k, v in node.kwargs.items() if k not in ("layout", "pin_memory", "memory_format")}
    return [f"%{node.name}", name, [_plain(arg, inputs) for arg in node.args], named]


def _plain(value: Any, inputs: Mapping[str, Any]) -> Any:
    """An argument as JSON has it."""
    if isinstance(value, torch.fx.Node):
        return inputs.get(value.name, {"of": f"%{value.name}"})
    if isinstance(value, list | tuple):
        return [_plain(part, inputs) for part in value]
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, torch.device):
        return {"device": 0}
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"the net takes the argument {value!r}, which is no plain value")
