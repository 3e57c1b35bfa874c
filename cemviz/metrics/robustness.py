"""Accuracy, clean and under attack, batch by batch, so that a page can draw progress and stop it; and whether to believe it.

An attack that follows gradients says little about a net that hides them: `preflight` looks before the attack runs.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..attacks import ATTACKS, perturb, threat
from ..dynamics import Dynamics, Norm
from ..energies import conditional


def logits(net: nn.Module, x: Tensor, size: int = 500) -> Tensor:
    """Logits of many images without gradients, in chunks of `size`: (N, C, H, W) -> (N, classes)."""
    with torch.no_grad():
        return torch.cat([net(part) for part in x.split(size)])


def accuracy(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of images whose largest logit is their label's.

    Args:
        net: classifier in eval mode.
        x: images in [0, 1], (N, C, H, W).
        y: labels, (N,) int64.
    """
    return (logits(net, x).argmax(1) == y).float().mean().item()


def correct_under(
    name: str,
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    dyn: Dynamics,
    *,
    size: int = 250,
    restarts: int = 1,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Which images stay correct under an attack, clean and at every restart.

    Only images that are still correct are attacked: the rest would spend gradients on what is lost already.

    Args:
        name: key of ATTACKS, untargeted.
        net: classifier in eval mode.
        x, y: as in `accuracy`.
        dyn: from `attacks.threat`.
        size: images at a time.
        restarts: number of random starts, the worst counts.
    Yields:
        (n,) bool for each chunk in turn; the mean over all is the robust accuracy.
    Raises:
        ValueError: a targeted attack, whose success is not a loss of accuracy; fewer than one restart.
    """
    if ATTACKS[name].targeted:
        raise ValueError(f"attack {name!r} is targeted: robust accuracy wants an untargeted one")
    if restarts < 1:
        raise ValueError(f"restarts is {restarts}; give at least 1")
    for part, labels in zip(x.split(size), y.split(size), strict=True):
        correct = logits(net, part).argmax(1) == labels
        for _ in range(restarts):
            left = correct.nonzero().squeeze(1)
            if not len(left):
                break
            found = perturb(name, net, part[left], labels[left], dyn, generator=generator)
            correct[left] = logits(net, found).argmax(1) == labels[left]
        yield correct


def curve(
    name: str,
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    norm: Norm,
    radii: Sequence[float],
    *,
    steps: int | None = None,
    size: int = 250,
    restarts: int = 1,
    generator: torch.Generator | None = None,
) -> Iterator[tuple[float, float]]:
    """Robust accuracy over the radius.  An image broken at one radius stays broken at larger ones: those balls hold it too.

    Args:
        name, net, x, y, size, restarts, generator: as in `correct_under`.
        norm: of the balls.
        radii: ascending, each at least 0; at 0 the accuracy is the clean one.
        steps: K; None takes the attack's.
    Yields:
        (radius, share of images still correct) for each radius in turn; the share never rises.
    Raises:
        ValueError: radii that do not ascend, or a targeted attack.
    """
    radii = list(radii)
    if not radii or radii != sorted(radii) or not radii[0] >= 0:
        raise ValueError(f"radii are {radii}; give at least one, ascending from 0 or above")
    left = (logits(net, x).argmax(1) == y).nonzero().squeeze(1)
    for radius in radii:
        if radius > 0:
            dyn = threat(name, norm, radius, steps)
            attacked = correct_under(name, net, x[left], y[left], dyn, size=size, restarts=restarts, generator=generator)
            left = left[torch.cat(list(attacked))]
        yield radius, len(left) / len(x)


def preflight(net: nn.Module, x: Tensor, y: Tensor) -> list[str]:
    """What speaks against believing a net's robust accuracy, found before it is attacked.

    Looks for train mode, answers or gradients that are not finite, forward passes that differ, outputs that are probabilities,
    and images whose cross-entropy has a gradient of exactly zero: there an attack has nowhere to go, and its failure is no
    robustness.

    Args:
        net: as it will be attacked.
        x, y: some of the images, (N, C, H, W) and (N,); 100 tell enough.
    Returns:
        one sentence for each fault; empty where all is well.  A net in train mode is not run, which would change its
        BatchNorm statistics.
    Source: Croce et al. 2020 (RobustBench, AutoAttack's checks); Athalye et al. 2018.
    """
    if any(module.training for module in net.modules()):
        return ["the net is in train mode: its answers depend on the batch; call net.eval(), then check again"]
    faults = []
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):  # a random net draws from the global state
        first, second = logits(net, x), logits(net, x)
        slopes = _loss_slopes(net, x, y).flatten(1)
    lost = int((~(first.isfinite().all(1) & slopes.isfinite().all(1))).sum())
    if lost:
        return [f"logits or gradients are not finite for {lost} of {len(x)} images: no attack can move them; mend the net"]
    zeros = int((slopes == 0).all(1).sum())
    if (first - second).abs().amax() > 1e-4 * first.abs().amax():
        faults.append("two forward passes differ: the net is random; average its gradient over draws, or fix the draws")
    if first.amin() >= 0 and (first.sum(1) - 1).abs().amax() < 1e-4:
        faults.append("the outputs are probabilities, not logits: cross-entropy on them has weak gradients; remove the softmax")
    if zeros:
        faults.append(f"the cross-entropy's gradient is exactly zero for {zeros} of {len(x)} images: try apgd-dlr")
    return faults


def _loss_slopes(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Gradient of the cross-entropy, zero too where the net cuts the graph: (N, *D) -> (N, *D)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        loss = conditional(net(x), y).sum()
        if not loss.requires_grad:
            return torch.zeros_like(x)
        return torch.autograd.grad(loss, x, materialize_grads=True)[0]
