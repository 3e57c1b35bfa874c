"""Doubts about a net before it is attacked: an attack that follows gradients says little about a net that hides them."""

import torch
from torch import Tensor

from ..attacks import margin_ratio
from ..energies import Scored, conditional
from ..inputs import Scores
from .answers import LOST, entered, logits, lost, outcomes

PARTNERS = 8
"""Images whose answers are compared between two batches."""


def preflight(net: Scores, x: Tensor, y: Tensor) -> list[str]:
    """Reasons against believing a net's robust accuracy, found before it is attacked.

    First what keeps it from being measured at all, of which one sentence is told: train mode; images, labels or outputs that
    are not what they should be; a net that fails.  Then answers and gradients that are not finite, answers that differ between
    two passes or between two batches, outputs that are probabilities or their logarithms, and gradients that are exactly zero:
    there an attack has nowhere to go, and its failure is no robustness.

    Args:
        net: as it will be attacked.
        x, y: some of the images, (N, C, H, W) and (N,); 100 tell enough.
    Returns:
        one sentence for each fault; empty where all is well.  A net in train mode is not run, which would change its
        BatchNorm statistics.
    Source: Croce et al. 2020 (RobustBench, AutoAttack's checks); Athalye et al. 2018.
    """
    with torch.random.fork_rng(devices=[x.device] if getattr(x, "is_cuda", False) else []):  # of a random net
        try:
            net = entered(net, x, y)
            first, second = logits(net, x), logits(net, x)
            slopes = _slopes(net, conditional, x, y)
        except ValueError as error:
            return [str(error)]
        except (RuntimeError, TypeError, IndexError) as error:
            fault = str(error).splitlines()[0] if str(error) else type(error).__name__
            return [f"the net fails on images of shape {tuple(x.shape)} and {x.dtype}: {fault}; give what it was trained on"]
        outcome = outcomes(first, y)
        finite = outcome != LOST
        faults = [f"{fault}: look at its weights, or compute in float32" for fault in lost(outcome)]
        return faults + (_doubts(net, *(part[finite] for part in (x, y, first, second, slopes))) if finite.any() else [])


def _doubts(net: Scores, x: Tensor, y: Tensor, first: Tensor, second: Tensor, slopes: Tensor) -> list[str]:
    """Faults of a net that answers: from two passes over the images, and the gradients of the cross-entropy."""
    faults, rounding = [], max(1e-4, 8 * torch.finfo(first.dtype).eps)
    classes, size = first.shape[1], first.abs().amax()
    if not (first - second).abs().amax() <= rounding * size:  # also true where the second answers are NaN
        faults.append("two forward passes differ: the net is random; average its gradient over draws, or fix the draws")
    elif _crowded(net, x, first, rounding * size):
        faults.append(
            "its answers depend on the rest of the batch: an attack on many is none on one; let it see each image alone"
        )
    if first.amin() >= 0 and (first.sum(1) - 1).abs().amax() < rounding:
        faults.append("the outputs are probabilities, not logits: cross-entropy on them has weak gradients; remove the softmax")
    elif first.float().logsumexp(1).abs().amax() < rounding:
        faults.append(
            "the outputs are log-probabilities: E(x) = -logsumexp is 0 everywhere, and no sampler sees p(x); take what goes "
            "into the log-softmax"
        )
    broken = int((~slopes.isfinite().all(1)).sum())
    if broken:
        faults.append(
            f"the cross-entropy's gradient is not finite for {broken} of {len(x)} images: attacks on them fail; mend the net"
        )
    zero = (slopes == 0).all(1)
    if zero.any():
        way = _way(net, x[zero], y[zero], classes)
        faults.append(f"the cross-entropy's gradient is exactly zero for {int(zero.sum())} of {len(x)} images: {way}")
    return faults


def _crowded(net: Scores, x: Tensor, first: Tensor, tolerance: Tensor) -> bool:
    """Whether some images get other answers among their negatives than they got among all."""
    few = x[:PARTNERS]
    apart = logits(net, torch.cat([few, 1 - few]))[: len(few)]
    # a shift of all logits, which no cross-entropy sees, is none of its business
    return not (apart.log_softmax(1) - first[: len(few)].log_softmax(1)).abs().amax() <= tolerance


def _way(net: Scores, x: Tensor, y: Tensor, classes: int) -> str:
    """Advice on gradients of zero at these images."""
    if classes > 2 and (_slopes(net, margin_ratio, x, y) != 0).any():
        return "it rounds away where the net is sure; attack with apgd-dlr"
    if (_slopes(net, lambda f, _: f.square().sum(1), x, y) != 0).any():
        return "it rounds away where the net is sure; compute in float64, or divide the logits by their size before the attack"
    return (
        "the net rounds its input or cuts the graph (detach, argmax, sign); attack a smooth stand-in and test its images here"
    )


def _slopes(net: Scores, energy: Scored, x: Tensor, y: Tensor) -> Tensor:
    """Gradient of an energy, zero too where the net cuts the graph: (N, *D) -> (N, prod D)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        e = energy(net(x), y).sum()
        if not e.requires_grad:
            return torch.zeros_like(x).flatten(1)
        return torch.autograd.grad(e, x, materialize_grads=True)[0].flatten(1)
