"""Checks of what a caller brings: images, labels, a net and a row's name, each refused by one line that says what to do.

They stand at the entrances (`sample`, `attack`, `perturb`, and the metrics of robustness), once a run; the loops behind them
trust what they are given.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Row = TypeVar("Row")
Scores = nn.Module | Callable[[Tensor], Tensor]
"""(B, C, H, W) -> scores: a net, or one reading of it."""


def row(name: str | Row, table: Mapping[str, Row], kind: type[Row]) -> Row:
    """The row of that name, or the row itself where one is given.

    Raises:
        KeyError: unknown name.
        TypeError: neither a name nor a row.
    """
    noun, names = kind.__name__.lower(), ", ".join(table)
    if isinstance(name, kind):
        return name
    if not isinstance(name, str):
        raise TypeError(f"{noun} is {name!r}; give a row, {kind.__name__}(...), or one of {names}")
    if name not in table:
        raise KeyError(f"no {noun} {name!r}; choose one of {names}")
    return table[name]


def check_images(x: Tensor, bounds: tuple[float, float] | None = (0.0, 1.0)) -> None:
    """Refuse what is no batch of images in the box.

    Args:
        x: (B, C, H, W), float, finite, within the box up to rounding.
        bounds: the box; None, a chain without one, asks for finite numbers alone.
    Raises:
        ValueError: what is wrong, and what to do.
    """
    if not isinstance(x, Tensor):
        raise ValueError(f"the images are a {type(x).__name__}; give a float tensor, (B, C, H, W)")
    shape = tuple(x.shape)
    if x.dim() != 4:
        advice = {
            3: "; of one image take x[None], of grey images (B, H, W) x[:, None]",
            2: "; unflatten them: x.unflatten(1, (C, H, W))",
        }
        raise ValueError(f"the images have shape {shape}; give (B, C, H, W){advice.get(x.dim(), '')}")
    if not x.numel():
        raise ValueError(f"the images have shape {shape}: the batch is empty; give at least 1 image")
    if shape[3] in (1, 3, 4) and min(shape[1:3]) > 4:
        raise ValueError(f"the images have shape {shape}, channels last; give (B, C, H, W): x.permute(0, 3, 1, 2)")
    if not x.is_floating_point():
        scale = "x.float() / 255" if x.dtype is not torch.bool else "x.float()"
        raise ValueError(f"the images are {_dtype(x)}; give floats in [0, 1]: {scale}")
    low, high = torch.stack(x.detach().aminmax()).tolist()  # NaN where there is one
    if not (abs(low) < torch.inf and abs(high) < torch.inf):
        bad = int((~x.isfinite().flatten(1).all(1)).sum())
        raise ValueError(f"{bad} of {len(x)} images hold pixels that are not finite (NaN or infinite); mend or drop them")
    rounding = max(1e-6, torch.finfo(x.dtype).eps)
    if bounds is not None and not bounds[0] - rounding <= low <= high <= bounds[1] + rounding:
        raise ValueError(
            f"the pixels lie in [{low:.4g}, {high:.4g}]; give [{bounds[0]:g}, {bounds[1]:g}]: {_into_box(low, high, bounds)}"
        )


def _into_box(low: float, high: float, bounds: tuple[float, float]) -> str:
    if bounds != (0.0, 1.0):
        return "clamp them, or change the bounds of the dynamics"
    if low >= 0 and high > 2:
        return "divide by 255" if high <= 255 else "divide by 65535" if high <= 65535 else "divide by their largest value"
    if low >= -1 and high <= 1:
        return "from [-1, 1] take (x + 1) / 2; what only strays below 0, clamp: x.clamp(0, 1)"
    if low >= 0:
        return "clamp them: x.clamp(0, 1)"
    return "undo their normalisation, which belongs into the net's first layer"


def check_labels(y: Tensor, x: Tensor) -> None:
    """Refuse what are no labels of these images; whether the net knows them is seen at its first answer, see `checked`.

    Args:
        y: (B,) int64, at least 0, on the device of x.
        x: images, (B, ...).
    Raises:
        ValueError: what is wrong, and what to do.
    """
    if not isinstance(y, Tensor):
        raise ValueError(f"the labels are a {type(y).__name__}; give a tensor: torch.tensor(y)")
    if y.dtype is not torch.int64:
        raise ValueError(f"the labels are {_dtype(y)}; give whole numbers: y.long()")
    if y.shape != x.shape[:1]:
        raise ValueError(f"the labels have shape {tuple(y.shape)}; {len(x)} images want ({len(x)},), one class index each")
    if y.device != x.device:
        raise ValueError(f"the labels are on {y.device}, the images on {x.device}; move one of them: y.to(x.device)")
    if int(y.min()) < 0:
        raise ValueError(f"label {int(y.min())} is below 0; labels count the net's classes from 0")


def check_mode(net: Scores) -> None:
    """Refuse a net in train mode: its answers depend on the batch or on chance, and its statistics would move.

    A plain function has no mode; a method of a net has the net's.

    Raises:
        ValueError
    """
    owner = getattr(net, "__self__", net)
    if isinstance(owner, nn.Module) and any(module.training for module in owner.modules()):
        raise ValueError("the net is in train mode: its answers depend on the batch; call net.eval(), then try again")


def checked(net: Scores, labels: Tensor | None = None, *, flat: bool = False, followed: bool = False) -> Scores:
    """The same net, each answer of which is looked at: one row of scores for each image, and a column for each label.

    Args:
        net: (B, C, H, W) -> (B, classes) or (B, features).
        labels: (B,), that must be among the classes; None asks for none.
        flat: whether (B,) will do as well: a binary net's logit.
        followed: whether a gradient to the images must come with them.
    Raises:
        ValueError: by the net that is returned.
    """
    highest = -1 if labels is None else int(labels.max())

    def scores(x: Tensor) -> Tensor:
        try:
            f = net(x)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ValueError(_refused(net, x, error)) from error
        if not isinstance(f, Tensor):
            raise ValueError(f"the net returns a {type(f).__name__}; give one that returns scores alone: {_picked(f)}")
        if not (flat and f.shape == x.shape[:1]) and (f.dim() != 2 or len(f) != len(x)):
            raise ValueError(f"the net returns shape {tuple(f.shape)} for {len(x)} images; {_reshaped(f, len(x))}")
        if labels is not None and f.shape[1] < 2:
            raise ValueError("the net has one output, of which the cross-entropy is always 0; of a binary logit d give [0, d]")
        if highest >= f.shape[-1]:
            raise ValueError(
                f"label {highest} is beyond the net's {f.shape[1]} classes; give labels from 0 to {f.shape[1] - 1}"
            )
        if followed and x.requires_grad and not f.requires_grad:
            raise ValueError(
                "the net's scores carry no gradient to the images; take .detach(), torch.no_grad() or numpy out of its forward"
            )
        return f

    scores.__wrapped__ = net  # for who looks for the net itself, by inspect.unwrap
    return scores


def _refused(net: Scores, x: Tensor, error: RuntimeError) -> str:
    owner = getattr(net, "__self__", net)
    weight = next(owner.parameters(), None) if isinstance(owner, nn.Module) else None
    if weight is not None and weight.device != x.device:
        return f"the images are on {x.device}, the net on {weight.device}; move one of them: x.to({str(weight.device)!r})"
    if weight is not None and weight.dtype is not x.dtype:
        return f"the images are {_dtype(x)}, the net's weights {_dtype(weight)}; give one type: x.to({weight.dtype})"
    line = str(error).partition("\n")[0]
    advice = "give the channels, size and type that it was trained on"
    return f"the net does not take images of shape {tuple(x.shape)} ({line}); {advice}"


def _picked(f: Any) -> str:
    if isinstance(f, Mapping) or hasattr(f, "logits"):
        keys = list(f) if isinstance(f, Mapping) else ["logits"]
        return f"lambda x: net(x)[{keys[0]!r}], or whichever of {', '.join(map(str, keys))} they are" if keys else "it is empty"
    return "lambda x: net(x)[0], or wherever they stand" if isinstance(f, (tuple, list)) else "a tensor (B, classes)"


def _reshaped(f: Tensor, count: int) -> str:
    wanted = f"give ({count}, classes)"
    if f.dim() == 1 and len(f) == count:
        return f"{wanted}: of one logit d a side, torch.stack([torch.zeros_like(d), d], 1)"
    if f.dim() > 2 and len(f) == count:
        return f"{wanted}: net(x).flatten(1) where one score a class is left, else pool the positions: .flatten(2).mean(2)"
    return f"{wanted}: one row of scores for each image"


def _dtype(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")
