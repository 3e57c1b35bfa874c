"""K binary nets as one classifier: each tells its class from the rest, and a constant a class makes their logits comparable.

    f(x)[k] = d_k(x) + c_k,   argmax_k f(x)[k] = argmax_k p(k | x)   where  p(x | k) = exp d_k(x) / Z_k,  c_k = log p(k) / Z_k

So it is a classifier wherever one is asked for.  Its softmax is p(k | x) among the classes; unlike a softmax classifier's, its
logits also say whether x is of any class: E_k(x) = -d_k(x) is the energy of class k on its own.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .cnn import small_cnn
from .resnet import resnet18, resnet50, small_resnet

MEMBERS: dict[str, Callable[..., nn.Module]] = {
    "small-cnn": small_cnn,
    "small-resnet": small_resnet,
    "resnet18": resnet18,
    "resnet50": resnet50,
}
"""Nets that a member may be."""


class OneVsRest(nn.Module):
    """(B, C, H, W) -> logits d_k + c_k, (B, K).

    Attributes:
        members: K nets, each (B, C, H, W) -> (B, 1).
        constants: c, (K,); zero until they are calibrated.
    Source: thesis (3.27), (3.43).
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("constants", torch.zeros(len(self.members)))

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return len(self.members)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([member(x) for member in self.members], 1) + self.constants

    def only(self, k: int) -> Callable[[Tensor], Tensor]:
        """The logit of one class alone, (B, C, H, W) -> (B,), at a K-th of the cost of all."""
        return lambda x: self.members[k](x).flatten() + self.constants[k]


def only(net: nn.Module | Callable[[Tensor], Tensor], k: int) -> Callable[[Tensor], Tensor]:
    """The logit of one class of any classifier, (B, C, H, W) -> (B,), without the others where the net can."""
    whole = inspect.unwrap(net)
    return whole.only(k) if isinstance(whole, OneVsRest) else lambda x: net(x)[:, k]


def one_vs_rest(
    mean: Sequence[float] = (0.5,),
    std: Sequence[float] = (0.25,),
    outputs: int = 10,
    trunk: str = "small-cnn",
    **trunk_args: Any,
) -> OneVsRest:
    """K nets of one output.

    Args:
        outputs: K.
        trunk: key of MEMBERS; trunk_args are its own, without mean, std and outputs.
    Raises:
        KeyError, ValueError: unknown trunk, fewer than two classes.
    """
    if trunk not in MEMBERS:
        raise KeyError(f"trunk is {trunk!r}; choose one of {', '.join(MEMBERS)}")
    if outputs < 2:
        raise ValueError(f"outputs is {outputs}; give at least 2 classes")
    return OneVsRest([MEMBERS[trunk](mean, std, 1, **trunk_args) for _ in range(outputs)])


def calibrated(logits: Tensor, y: Tensor) -> Tensor:
    """Constants that make K logits comparable: the minimiser of the cross-entropy, of mean 0.

    min_c  E[ -log softmax(d(x) + c)_y ],   convex in c; solved by Newton's method in float64

    Args:
        logits: d, (N, K), of images that no member was trained on.
        y: labels, (N,) int64; every class occurs, else its constant falls without end.
    Returns:
        c, (K,), in the type of the logits.
    Raises:
        ValueError: a class without an image.
    Source: thesis (3.43), who learns them on the training set and stops by the test set.
    """
    classes = logits.shape[1]
    if missing := sorted(set(range(classes)) - set(y.tolist())):
        raise ValueError(f"no image of class {missing[0]} to calibrate on; give at least one of each of the {classes}")
    d, c = logits.double(), torch.zeros(classes, dtype=torch.float64, device=logits.device)
    share = F.one_hot(y, classes).double().mean(0)

    def loss(c: Tensor) -> Tensor:
        return F.cross_entropy(d + c, y)

    for _ in range(100):
        p = (d + c).softmax(1)
        slope = p.mean(0) - share
        curvature = torch.diag(p.mean(0)) - p.T @ p / len(p)
        # singular along (1, ..., 1), which changes nothing
        step = torch.linalg.lstsq(curvature + 1e-9 * torch.eye(classes).to(c), slope).solution
        step, size, now = step - step.mean(), 1.0, loss(c)
        far = step.abs().max() > 1e-4  # there a whole step may climb; near the optimum the loss no longer tells
        while far and size > 1e-6 and loss(c - size * step) > now:
            size /= 2
        c = c - size * step
        if step.abs().max() < 1e-13:
            break
    return (c - c.mean()).to(logits)
