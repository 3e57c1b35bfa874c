"""The one training loop: a generator that minimises the sum of an objective's named terms.

    for progress in fit(net, objective, batches, steps, optimizer):
        print(progress.step, progress.terms)

Everything that decides the next step (weights, optimiser, averages, random state, step) is in `progress.state()`, a flat dict
of tensors; a loop resumed from it continues bit-equal on the CPU.  Learning rates are a pure function of the step and need no
state.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..dynamics import Diverged
from ..nets.fold import Twin, foldable

Batch = tuple[Tensor, Tensor]


class Objective(Protocol):
    """Objective of a training: named scalar terms of a batch; their sum is minimised.

    `progress` is the share of the run that is done, in [0, 1): what a progressive K goes by.  An objective that keeps something
    between its steps, such as a replay buffer, has an attribute `tensors`: name -> tensor, changed in place.
    """

    def __call__(self, net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]: ...


Probe = Callable[[nn.Module, Batch], Callable[[nn.Module], dict[str, Any]]]
"""Looks at the net and the batch before an update; what it returns looks at the net afterwards, and tells."""

Schedule = Callable[[float], float]
"""Share of the run done, in [0, 1) -> factor of the learning rate."""


def check_weight(name: str, value: float) -> None:
    """Refuse a weight of a term, or a deviation, that is negative or not finite.  Raises ValueError."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} is {value}; give a finite number of at least 0")


def constant(progress: float) -> float:
    """The learning rate as it is."""
    return 1.0


def warm_up(progress: float, *, share: float = 0.05) -> float:
    """Rise linearly to 1 during the first `share` of the run, then stay."""
    return min(1.0, 0.04 + 0.96 * progress / share)


def one_cycle(progress: float, *, warm_up: float = 0.25) -> float:
    """Rise linearly to 1 during `warm_up`, then fall along a cosine to 0."""
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def late_cosine(progress: float, *, start: float = 0.5) -> float:
    """Stay at 1 until `start`, then fall along a cosine to 0."""
    return 0.5 * (1 + math.cos(math.pi * max(0.0, progress - start) / (1 - start)))


def multi_step(*milestones: float, factor: float = 0.1) -> Schedule:
    """Multiply by `factor` at each of these shares of the run."""
    return lambda progress: factor ** sum(progress >= m for m in milestones)


def product(*schedules: Schedule) -> Schedule:
    """All of them at once."""
    return lambda progress: math.prod(schedule(progress) for schedule in schedules)


@dataclass(frozen=True, slots=True)
class Progress:
    """Report of a step of training.

    Attributes:
        step: number of updates done.
        steps: number of updates to do.
        terms: the objective's terms at this step's batch, before the update.
        lr: learning rate of this step.
        seconds: since `fit` began, in this process.
        state: makes the full state, see `fit`.
        probe: what a probe told of this update, or None.
    """

    step: int
    steps: int
    terms: dict[str, float]
    lr: float
    seconds: float
    state: Callable[[], dict[str, Tensor]]
    probe: dict[str, Any] | None = None


LIMIT = 1e3
"""A term beyond this, or NaN, stops a run: cross-entropies lie far below, and an energy gap of this size does not come back."""


def fit(
    net: nn.Module,
    objective: Objective,
    batches: Iterator[Batch],
    steps: int,
    optimizer: torch.optim.Optimizer,
    *,
    schedule: Schedule = constant,
    average: float = 0.0,
    clip: float = math.inf,
    generators: Mapping[str, torch.Generator] | None = None,
    resume: Mapping[str, Tensor] | None = None,
    probe: Probe | None = None,
    probe_every: int = 100,
    reduce: Callable[[list[Tensor]], None] | None = None,
) -> Iterator[Progress]:
    """Train a net.

    Args:
        net: in train mode; changed in place.
        objective: see `Objective`.
        batches: endless; on resuming, the caller starts them at the saved step.
        steps: number of updates of the whole run.
        optimizer: over the net's parameters; its initial learning rates are the peaks.
        schedule: factor of the learning rate.
        average: decay of an exponential moving average of the weights; 0 keeps none.  The averaged weights are in
            `state()` under "average."; `averaged` puts them into a net.
        clip: largest norm of the gradient over all weights.
        generators: random state to save and restore, by name.
        resume: a state to continue from, of an optimiser of the same kind.
        probe: looks at the first update, at every `probe_every`-th and at the last.
        reduce: averages tensors in place over the processes that share each batch: the terms and the gradients of a step.
    Yields:
        Progress after every update.  `state()` is a flat dict: "net.*", "optimizer.*", "average.*", "generator.*", "tensor.*"
        (what the objective keeps), "step".
    Raises:
        Diverged: a term is not finite or beyond LIMIT, or the gradient is not finite; the net then holds the weights and
            statistics from before that step.
        ValueError: the state is of another net.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    peaks = [group["lr"] for group in optimizer.param_groups]
    shadow = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(average), use_buffers=True) if average else None
    generators, buffers = generators or {}, getattr(objective, "tensors", {})
    step = 0
    if resume is not None:
        _restore(resume, net, optimizer, shadow, generators, buffers)
        step = int(resume["step"])

    def state() -> dict[str, Tensor]:
        flat = {f"net.{k}": v.clone() for k, v in net.state_dict().items()}
        for i, moments in optimizer.state_dict()["state"].items():
            flat |= {f"optimizer.{i}.{k}": torch.as_tensor(v).clone() for k, v in moments.items() if v is not None}
        if shadow is not None:
            flat |= {f"average.{k}": v.clone() for k, v in shadow.state_dict().items()}
        flat |= {f"generator.{k}": g.get_state() for k, g in generators.items()}
        flat |= {f"tensor.{k}": v.clone() for k, v in buffers.items()}
        return flat | {"step": torch.tensor(step)}

    moving = [b for module in net.modules() if isinstance(module, _BatchNorm) for b in module.buffers(recurse=False)]
    began = time.perf_counter()
    while step < steps:
        share = step / steps
        rate = schedule(share)
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * rate
        statistics = [b.clone() for b in moving]  # BatchNorm moves them before the loss is known
        batch = next(batches)
        probed = probe is not None and (step % probe_every == 0 or step + 1 == steps)
        finish = probe(net, batch) if probed else None
        terms = objective(net, batch, share)
        optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        terms = {name: term.detach() for name, term in terms.items()}
        if reduce is not None:
            reduce([*terms.values(), *(p.grad for p in parameters if p.grad is not None)])
        norm = nn.utils.clip_grad_norm_(parameters, clip)
        *numbers, length = torch.stack([*terms.values(), norm]).tolist()  # one wait for the device, not one a number
        values = dict(zip(terms, numbers, strict=True))
        if not (all(abs(t) < LIMIT for t in values.values()) and math.isfinite(length)):  # also false for NaN
            for buffer, good in zip(moving, statistics, strict=True):
                buffer.copy_(good)
            raise _diverged(values, length, step + 1, steps, peaks[0])
        optimizer.step()
        if shadow is not None:
            shadow.update_parameters(net)
        step += 1
        result = None if finish is None else finish(net)
        yield Progress(step, steps, values, peaks[0] * rate, time.perf_counter() - began, state, result)


def _diverged(values: Mapping[str, float], length: float, step: int, steps: int, lr: float) -> Diverged:
    """The error of a step whose terms or gradient are not finite, or too large."""
    worst = ", ".join(f"{k} {v:.3g}" for k, v in values.items())
    if step == 1 and not all(map(math.isfinite, values.values())):  # no rate had a say yet
        return Diverged(
            f"training diverged at step 1 of {steps} ({worst}): the loss is not finite before any update; look at the "
            f"images, at the net's first weights and at its precision"
        )
    return Diverged(
        f"training diverged at step {step} of {steps} ({worst}, gradient {length:.3g}); lower lr ({lr:g}) or take another seed"
    )


def averaged(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The net's state dict out of a full state: the averaged weights where an average was kept, else the last ones."""
    prefix = "average.module." if "average.n_averaged" in state else "net."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _restore(
    state: Mapping[str, Tensor],
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    shadow: AveragedModel | None,
    generators: Mapping[str, torch.Generator],
    buffers: Mapping[str, Tensor],
) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

    try:
        net.load_state_dict(part("net."))
        if shadow is not None:
            shadow.load_state_dict(part("average."))
        for name, generator in generators.items():
            generator.set_state(state[f"generator.{name}"].cpu())
        for name, tensor in buffers.items():
            tensor.copy_(state[f"tensor.{name}"])
    except (RuntimeError, KeyError) as error:
        raise ValueError(f"the saved state is of another run: {error}") from error
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in part("optimizer.").items():
        i, name = key.split(".", 1)
        moments.setdefault(int(i), {})[name] = value.clone()
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Put a net into eval mode for a while: attacks and chains inside a training step must not move its statistics."""
    were = [(module, module.training) for module in net.modules()]  # each its own: a frozen part stays in eval mode
    net.eval()
    try:
        yield
    finally:
        for module, was in were:
            module.training = was


class Still:
    """The net as the attacks of a training step see it: in eval mode, with its norms folded where it has such.

        still = Still()
        with still(net) as seen:
            x_adv = perturb("pgd", seen, x, y, dyn, check=False)

    The fold is made anew at every use, from the weights and statistics of that moment: a pass through it takes about five
    sixths of the time, and making it a hundredth of that.
    """

    def __init__(self) -> None:
        self._net: nn.Module | None = None
        self._twin: Twin | None = None

    @contextmanager
    def __call__(self, net: nn.Module) -> Iterator[nn.Module]:
        if self._net is not net:  # a net without norms is not copied for nothing
            self._net, self._twin = net, Twin(net) if foldable(net) else None
        if self._twin is not None:
            yield self._twin()
        else:
            with evaluating(net):
                yield net
