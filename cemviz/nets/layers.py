"""Layers that several nets share: normalisation of the input, activations, norms."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "silu": lambda: nn.SiLU(inplace=True),  # smooth: its Hessian exists, and chains on E(x) stay stable without a norm
    "tanh": nn.Tanh,
    "leaky": lambda: nn.LeakyReLU(0.2, inplace=True),
}


BRANCHES = ("clean", "adversarial")


class DoubleNorm(nn.Module):
    """Two BatchNorms, of which `branch` names the one in use: clean and adversarial inputs have statistics of their own.

    Source: Xie et al. 2020; ACL (A2S), which CEM C.1 takes for ResNet-50.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norms = nn.ModuleDict({name: nn.BatchNorm2d(channels) for name in BRANCHES})
        self.branch = "adversarial"  # what samples and attacks go through

    def forward(self, x: Tensor) -> Tensor:
        return self.norms[self.branch](x)


@contextmanager
def through(net: nn.Module, branch: str) -> Iterator[None]:
    """Send inputs through one branch of a net's double norms for a while; a net without any is left as it is.

    Args:
        branch: one of BRANCHES.
    """
    doubles = [module for module in net.modules() if isinstance(module, DoubleNorm)]
    were = [double.branch for double in doubles]
    for double in doubles:
        double.branch = branch
    try:
        yield
    finally:
        for double, was in zip(doubles, were, strict=True):
            double.branch = was


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "double": DoubleNorm,
    "none": lambda channels: nn.Identity(),  # energy-based training wants E(x) to depend on x alone
}


def norm_layer(norm: str, channels: int) -> nn.Module:
    """A 2D norm layer: batch, double or none."""
    if norm not in NORMS:
        raise ValueError(f"norm is {norm!r}; choose one of {', '.join(NORMS)}")
    return NORMS[norm](channels)


class Normalize(nn.Module):
    """(x - mean) / std per channel, inside the net, so that every radius and step outside is in units of the pixel range."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


def shortcut(inside: int, outside: int, stride: int, norm: str) -> nn.Module:
    """The identity where shapes agree, else a 1x1 convolution and a norm."""
    if stride == 1 and inside == outside:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=norm == "none"), norm_layer(norm, outside))


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut, with a norm and an activation after each.  Source: He et al. 2016."""

    def __init__(self, inside: int, outside: int, stride: int, norm: str, activation: str) -> None:
        super().__init__()
        bias = norm == "none"
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=bias),
            norm_layer(norm, outside),
            ACTIVATIONS[activation](),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=bias),
            norm_layer(norm, outside),
        )
        self.shortcut = shortcut(inside, outside, stride, norm)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.body(x) + self.shortcut(x))


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution that widens four times, beside a shortcut.  Source: He et al. 2016."""

    def __init__(self, inside: int, width: int, stride: int, norm: str, activation: str) -> None:
        super().__init__()
        outside, bias = 4 * width, norm == "none"
        self.body = nn.Sequential(
            nn.Conv2d(inside, width, 1, bias=bias),
            norm_layer(norm, width),
            ACTIVATIONS[activation](),
            nn.Conv2d(width, width, 3, stride, 1, bias=bias),
            norm_layer(norm, width),
            ACTIVATIONS[activation](),
            nn.Conv2d(width, outside, 1, bias=bias),
            norm_layer(norm, outside),
        )
        self.shortcut = shortcut(inside, outside, stride, norm)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.body(x) + self.shortcut(x))


class GlobalMean(nn.Module):
    """Mean over height and width: (B, C, H, W) -> (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))
