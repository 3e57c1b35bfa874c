"""A net as a list of operations on tensors: what torch.export makes of any module, kept as plain data.

Data are no code: of such a net only OPERATIONS are run, which compute and do nothing else, so that whoever was given one may
load it.  It needs neither the package that built the net nor the program that it was exported from.

    step = [name, operation, arguments, named arguments],   {"of": name} for a tensor, a step, or the images, "%x"
"""

import json
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .layers import Normalize

Program = Mapping[str, Any]
"""steps: see above; result: name of the logits; tensors: name -> [shape, dtype, whether it is a weight]."""

OPERATIONS = frozenset(
    """abs adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d add addmm alias amax amin arange avg_pool2d baddbmm
    batch_norm bmm cat celu chunk clamp clamp_max clamp_min clone constant_pad_nd contiguous conv1d conv2d convolution cos
    div
    dropout einsum elu eq exp expand expand_as feature_dropout fill flatten full full_like ge gelu glu group_norm gt
    hardsigmoid hardswish hardtanh index instance_norm layer_norm le leaky_relu lift_fresh_copy linalg_vector_norm linear
    log log_softmax logsumexp lt masked_fill matmul max_pool2d mean mish mm movedim mul ne neg new_ones new_zeros norm
    ones ones_like pad permute pixel_shuffle pixel_unshuffle pow prelu reciprocal reflection_pad2d relu relu6 repeat
    reshape rms_norm roll rsqrt rsub scaled_dot_product_attention select selu sigmoid silu sin slice softmax softplus
    split split_with_sizes sqrt square squeeze stack sub sum swapaxes sym_size t tanh tile to transpose type_as unbind
    unflatten unsqueeze upsample_bilinear2d upsample_nearest2d var view where zeros zeros_like""".split()
)
"""Operations of torch.ops.aten, without overload and without the mark of those in place."""

ON_NUMBERS = {f.__name__: f for f in (operator.getitem, operator.mul, operator.add, operator.sub, operator.floordiv)}
"""Operations on sizes and tuples."""

IMAGES = "%x"
"""Name of the normalised images among the values; no name of a tensor has this sign."""

MOST_STEPS, MOST_NUMBERS = 20_000, 2**27
"""Steps of a program; numbers of any tensor on the way of one image."""


class Graph(nn.Module):
    """(B, C, H, W) -> (B, outputs), step by step."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], outputs: int, program: Program) -> None:
        super().__init__()
        self.outputs, self.steps, self.result = outputs, _checked(program), program["result"]
        self.normalize = Normalize(mean, std)
        self.names = list(program["tensors"])
        for name, (shape, dtype, weight) in program["tensors"].items():
            tensor = _initial(shape, _dtype(dtype))
            if weight:
                self.register_parameter(attribute(name), nn.Parameter(tensor))
            else:
                self.register_buffer(attribute(name), tensor)
        last = {name: k for k, step in enumerate(self.steps) for name in used(step)}
        self.spent = [
            [name for name, k in last.items() if k == place and name != self.result] for place in range(len(self.steps))
        ]
        self.tried: set[tuple[int, ...]] = set()

    def forward(self, x: Tensor) -> Tensor:
        tensors = {name: getattr(self, attribute(name)) for name in self.names}
        if tuple(x.shape[1:]) not in self.tried:
            self._try(x, tensors)
        return self._run(self.normalize(x), tensors)

    def _try(self, x: Tensor, tensors: dict[str, Tensor]) -> None:
        """Run shapes without storage, once for each shape of an image, and refuse what fails or would fill the memory."""
        meta = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
        try:
            self._run(torch.empty(2, *x.shape[1:], device="meta", dtype=x.dtype), meta, 2 * MOST_NUMBERS)
        except RuntimeError:
            raise
        except Exception as error:  # arguments of another type, an index beyond the end: the program is a stranger's
            raise RuntimeError(f"the program cannot be run: {' '.join(str(error).split())[:200]}") from error
        self.tried.add(tuple(x.shape[1:]))

    def _run(self, x: Tensor, tensors: dict[str, Tensor], most: int | None = None) -> Tensor:
        values: dict[str, Any] = {**tensors, IMAGES: x}
        for (name, function, args, named), names in zip(self.steps, self.spent, strict=True):
            values[name] = value = function(*_arguments(args, values, x), **_arguments(named, values, x))
            if most is not None and isinstance(value, Tensor) and value.numel() > most:
                raise RuntimeError(f"step {name} would make {value.numel() // 2:,} numbers an image, {MOST_NUMBERS:,} at most")
            for old in names:  # nothing is kept longer than it is needed
                del values[old]
        return values[self.result]


def graph(
    mean: Sequence[float] = (0.5,) * 3,
    std: Sequence[float] = (0.25,) * 3,
    outputs: int = 10,
    program: str = "",
) -> Graph:
    """Net of a program, (B, C, H, W) -> (B, outputs).

    Args:
        program: see `Program`, as JSON; empty stands for one matrix on a small copy of the picture.
    Raises:
        ValueError: no JSON, a step that is none, or whose operation is not among OPERATIONS.
    """
    return Graph(mean, std, outputs, json.loads(program) if program else _linear(len(mean), outputs))


def _linear(channels: int, outputs: int) -> Program:
    weights = {"weight": [[outputs, 64 * channels], "float32", True], "bias": [[outputs], "float32", True]}
    steps = [
        ["%small", "adaptive_avg_pool2d.default", [{"of": IMAGES}, [8, 8]], {}],
        ["%flat", "flatten.using_ints", [{"of": "%small"}, 1], {}],
        ["%scores", "linear.default", [{"of": "%flat"}, {"of": "weight"}, {"of": "bias"}], {}],
    ]
    return {"steps": steps, "result": "%scores", "tensors": weights}


def attribute(name: str) -> str:
    """The name of a tensor as a module's attribute, in which no dot may stand."""
    return name.replace(".", "/")


# a program, checked and made ready ----------------------------------------------------------------------------------------


def _checked(program: Program) -> list[tuple[str, Any, Any, Any]]:
    """The steps with their functions.  Raises ValueError."""
    if not isinstance(program, Mapping) or not {"steps", "result", "tensors"} <= program.keys():
        raise ValueError("a program has steps, result and tensors")
    if not 0 < len(program["steps"]) <= MOST_STEPS:
        raise ValueError(f"the program has {len(program['steps'])} steps; give 1 to {MOST_STEPS}")
    names, ready = {IMAGES, *program["tensors"]}, []
    for name, operation, args, named in program["steps"]:
        function = _function(operation)
        missing = next((other for other in used((name, None, args, named)) if other not in names), None)
        if missing is not None:
            raise ValueError(f"step {name} uses {missing!r}, which nothing before it makes")
        changed = used((name, None, args[:1], {})) if _in_place(operation) else []
        if any(other in program["tensors"] for other in changed):
            raise ValueError(f"step {name} would change the weights {changed[0]}: the net is in train mode; export net.eval()")
        names.add(name)
        ready.append((name, function, args, named))
    if program["result"] not in names:
        raise ValueError(f"the program has no step {program['result']!r}, which is to be its result")
    return ready


def _function(operation: str) -> Any:
    if operation in ON_NUMBERS:
        return ON_NUMBERS[operation]
    name, _, overload = operation.partition(".")
    name, overload = ("reshape", "default") if name == "view" else (name, overload)  # its layout is ours, not the exporter's
    packet = getattr(torch.ops.aten, name) if name.rstrip("_") in OPERATIONS else None
    if packet is None or overload not in packet.overloads():
        raise ValueError(f"the net uses the operation {operation}, which is not among those that are run here")
    return getattr(packet, overload)


def _in_place(operation: str) -> bool:
    return operation.partition(".")[0].endswith("_")


def used(step: Sequence[Any]) -> list[str]:
    """Names of what a step takes."""
    names: list[str] = []
    rest = [step[2], step[3]]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest += [v for k, v in value.items() if k != "of"]
            names += [value["of"]] if "of" in value else []
        elif isinstance(value, list | tuple):
            rest += value
    return names


def _arguments(value: Any, values: Mapping[str, Any], x: Tensor) -> Any:
    """Arguments as a function takes them."""
    if isinstance(value, list | tuple):
        return [_arguments(part, values, x) for part in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"of"}:
        return values[value["of"]]
    if value.keys() == {"dtype"}:
        return _dtype(value["dtype"])
    if value.keys() == {"device"}:
        return x.device  # wherever the net was moved
    if value.keys() == {"number"}:
        return float(value["number"])
    return {k: _arguments(part, values, x) for k, part in value.items()}


def _dtype(name: str) -> torch.dtype:
    dtype = getattr(torch, str(name), None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"dtype is {name!r}; give one such as float32")
    return dtype


def _initial(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    if not dtype.is_floating_point:
        return torch.zeros(tuple(shape), dtype=dtype)
    return torch.randn(tuple(shape), dtype=dtype) / max(1, math.prod(shape[1:])) ** 0.5
