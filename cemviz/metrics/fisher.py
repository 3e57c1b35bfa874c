"""The Fisher scores of an energy: how well its gradient field could match the data's, without knowing the data's.

    JFS = E[ 1/2 |grad_x E(x, y)|^2 - tr grad_x^2 E(x, y) ],   MFS the same with E(x)

In a net of ReLUs the logits are piecewise linear, so that grad^2 f_k = 0 almost everywhere and both traces are exact:

    tr grad^2 E(x, y) = 0,   -tr grad^2 E(x) = tr grad^2 logsumexp f = sum_k p_k |grad f_k|^2 - |sum_k p_k grad f_k|^2

Elsewhere the trace is Hutchinson's estimate, v^T (grad^2 E) v averaged over random signs v.  Both scores shrink with the scale
of the logits, which says nothing about a model's samples: `scale` compares nets at equal logit norm.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor, nn

from ..dynamics import length, per_sample, slope
from ..energies import joint, marginal
from ..nets.layers import Bottleneck, DoubleNorm, GlobalMean, Normalize, Residual
from ..nets.wide_resnet import PreActivation
from .answers import logits

Method = Literal["exact", "hutchinson"]

PIECEWISE: frozenset[type] = frozenset({
    nn.ReLU, nn.LeakyReLU, nn.MaxPool2d,
    nn.Linear, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
    nn.Flatten, nn.Identity, nn.Dropout, Normalize, GlobalMean,
    nn.Sequential, nn.ModuleDict, Residual, Bottleneck, PreActivation, DoubleNorm,
})  # fmt: skip
"""Layers that are piecewise linear in eval mode, and containers that only add and compose."""


@dataclass(frozen=True, slots=True)
class Fisher:
    """The scores of some images, each (N,).

    Attributes:
        square: 1/2 |grad E|^2.
        trace: -tr grad^2 E, with the minus of JEAT (23).
        error: standard error of `trace` over the probes; 0 where it is exact.
    """

    square: Tensor
    trace: Tensor
    error: Tensor

    @property
    def value(self) -> Tensor:
        """The score of each image; JFS or MFS is the mean."""
        return self.square + self.trace

    @property
    def mean(self) -> float:
        """JFS or MFS."""
        return self.value.mean().item()

    @property
    def spread(self) -> float:
        """Standard error of the mean over images, the probes' share included; 0 of a single image."""
        return (self.value.std() / len(self.value) ** 0.5).item() if len(self.value) > 1 else 0.0


def gather(parts: Iterable[Fisher]) -> Fisher:
    """The scores of all chunks as one."""
    parts = list(parts)
    return Fisher(**{f.name: torch.cat([getattr(part, f.name) for part in parts]) for f in fields(Fisher)})


def piecewise_linear(net: nn.Module) -> bool:
    """Whether a net's logits are piecewise linear in x: only layers of PIECEWISE, none in train mode.

    A layer that is not known counts as curved: Hutchinson's estimate is right for it either way.
    """
    return all(type(m) in PIECEWISE and not m.training for m in net.modules())


def logit_norm(net: nn.Module, x: Tensor, size: int = 500) -> float:
    """Mean centred length of the logits, c = mean |f(x) - mean_k f(x)[k]|_2: the `scale` that makes nets comparable.

    Raises:
        ValueError: the logits are the same for all classes, so that no scale makes them comparable.
    """
    f = logits(net, x, size)
    c = length(f - f.mean(1, keepdim=True)).mean().item()
    if not c > 0:
        raise ValueError(
            f"the mean centred logit norm is {c:g}; a score at equal norm needs logits that differ between classes"
        )
    return c


def score(
    net: nn.Module,
    x: Tensor,
    y: Tensor | None = None,
    *,
    scale: float = 1.0,
    method: Method | None = None,
    probes: int = 16,
    generator: torch.Generator | None = None,
    size: int = 100,
) -> Iterator[Fisher]:
    """Fisher scores of images, joint where labels are given and marginal where not.

    1/2 |grad E|^2 - tr grad^2 E of the energy of f / scale.  With f -> s f the joint score grows as s^2 in a piecewise-linear
    net; at scale = `logit_norm(net, x)` both scores are those of f / c and no longer depend on the scale of the logits.

    Args:
        net: classifier in eval mode.
        x: images in [0, 1], (N, C, H, W).
        y: labels, (N,) int64; None takes E(x).
        scale: what the logits are divided by, above 0.
        method: exact (one backward pass; one a class and one more without labels) or hutchinson (2 + `probes` passes); None
            takes exact where the net is piecewise linear.
        probes: random sign vectors an image, at least 2.
        generator: their source, on the device of x.
        size: images at a time.
    Yields:
        the scores of each chunk in turn; see `gather`.
    Raises:
        ValueError: a number out of range, or the exact method asked of a net that is not piecewise linear.
    Source: JEAT (23), (24); Hutchinson 1990.
    """
    method = method or ("exact" if piecewise_linear(net) else "hutchinson")
    if method not in ("exact", "hutchinson"):
        raise ValueError(f"method is {method!r}; choose exact or hutchinson")
    if method == "exact" and not piecewise_linear(net):
        raise ValueError("method is 'exact', but the net is not piecewise linear in eval mode; choose hutchinson")
    if not scale > 0:
        raise ValueError(f"scale is {scale}; give a number above 0")
    if probes < 2:
        raise ValueError(f"probes is {probes}; give at least 2, so that there is a standard error")

    def scaled(part: Tensor) -> Tensor:
        return net(part) / scale

    for i in range(0, len(x), size):
        part, label = x[i : i + size], None if y is None else y[i : i + size]

        def energy(at: Tensor, label: Tensor | None = label) -> Tensor:
            return marginal(scaled(at)) if label is None else joint(scaled(at), label)

        if method == "hutchinson":
            yield _hutchinson(energy, part, probes, generator)
        elif label is None:
            yield _spread_of_slopes(scaled, part)
        else:
            square = length(slope(energy, part)[1]) ** 2 / 2
            yield Fisher(square, torch.zeros_like(square), torch.zeros_like(square))


def _spread_of_slopes(f: Callable[[Tensor], Tensor], x: Tensor) -> Fisher:
    """Exact marginal score of piecewise-linear logits: the variance of grad f_k under p(k | x), one class at a time."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        scores = f(x)
        p = scores.detach().softmax(1)

        def slopes(chosen: Tensor) -> Tensor:
            return torch.autograd.grad(chosen.sum(), x, retain_graph=True)[0]

        # slopes are taken relative to the likeliest class's: where p is nearly one-hot the difference below would cancel
        top = slopes(scores.amax(1))
        mean, second = torch.zeros_like(top), torch.zeros_like(p[:, 0])
        for k in range(p.shape[1]):
            relative = slopes(scores[:, k]) - top
            mean += per_sample(p[:, k], x) * relative
            second += p[:, k] * length(relative) ** 2
    return Fisher(length(top + mean) ** 2 / 2, second - length(mean) ** 2, torch.zeros_like(second))


def _hutchinson(energy: Callable[[Tensor], Tensor], x: Tensor, probes: int, generator: torch.Generator | None) -> Fisher:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (grad,) = torch.autograd.grad(energy(x).sum(), x, create_graph=True)
        draws = []
        for _ in range(probes):
            v = 2 * torch.randint(2, x.shape, generator=generator, device=x.device).to(x) - 1
            if grad.requires_grad:
                (hv,) = torch.autograd.grad(grad, x, v, retain_graph=True, materialize_grads=True)
            else:  # a gradient that does not depend on x has no Hessian
                hv = torch.zeros_like(x)
            draws.append(-(v * hv).flatten(1).sum(1))
    traces = torch.stack(draws)
    return Fisher(length(grad.detach()) ** 2 / 2, traces.mean(0), traces.std(0) / probes**0.5)
