"""Several processes that train one model: accelerate launches them, and each takes its part of every batch.

    accelerate launch --num_processes 2 -m cemviz train ...                 a process a GPU
    accelerate launch --multi_gpu --num_processes 2 -m cemviz train ...     on CPUs too: without the flag it starts one process

All processes hold the same weights, generators and replay buffer; gradients and terms are averaged, so that a run is that of
one process with the whole batch.  The first process alone writes and speaks.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ...draws import Part
from ...training.loop import Batch
from ..device import Device


def leads() -> bool:
    """Whether this process is the one that writes and speaks."""
    return int(os.environ.get("RANK", 0)) == 0


def advice() -> str | None:
    """Advice where accelerate was asked for several processes and started one, as it does on CPUs."""
    distributed = "ACCELERATE_USE_CPU" in os.environ and "MASTER_PORT" in os.environ
    if distributed and "WORLD_SIZE" not in os.environ:
        return "accelerate started one process, which trains on the whole batch; for several on CPUs add --multi_gpu"
    return None


def leave() -> None:
    """Part from the other processes, if there were any: what follows is each one's own."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@dataclass(frozen=True, slots=True)
class Team:
    """The processes of a run, as one of them sees them.

    Attributes:
        device: this process's own.
        rank, world: which one of how many.
    """

    device: Device
    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def generator(self, seed: int) -> torch.Generator:
        """A source of this process's part of every draw."""
        if self.world == 1:
            return self.device.generator(seed)
        return Part(self.device.torch, self.rank, self.world, _gather).manual_seed(seed)

    def part(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """This process's part of every batch."""
        return ((x.chunk(self.world)[self.rank], y.chunk(self.world)[self.rank]) for x, y in batches)

    def mean(self, tensors: list[Tensor]) -> None:
        """Average float tensors over the processes, in place; one message carries them all."""
        if self.world == 1:
            return
        from accelerate.utils import reduce

        flat = reduce(torch.cat([t.flatten() for t in tensors]), "mean")
        for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def in_turn(self) -> AbstractContextManager[None]:
        """A machine's first process works before its others: one downloads and decodes, the others find it done."""
        if self.world == 1:
            return nullcontext()
        from accelerate import PartialState

        return PartialState().local_main_process_first()

    def agree(self, step: int) -> None:
        """Refuse to go on from different steps, as machines do that do not share the folder of states.

        Raises:
            ValueError
        """
        mean = torch.tensor([float(step)], device=self.device.torch)
        self.mean([mean])
        if mean.item() != step:
            raise ValueError(f"process {self.rank} would go on from step {step}, others not; let all share CEMVIZ_CHECKPOINTS")


def join(device: Device, batch: int) -> Team:
    """Meet the other processes, if there are any.

    Args:
        device: what was chosen; of several GPUs each process takes its own.
        batch: of the whole run.
    Raises:
        ValueError: a batch that the processes cannot share evenly, or a device on which they cannot meet.
    """
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world == 1:
        return Team(device)
    if batch % world:
        near = max(1, round(batch / world)) * world
        raise ValueError(f"batch is {batch}, which {world} processes cannot share evenly; give a multiple of {world}: {near}")
    if device.torch.type == "mps":
        raise ValueError(f"device is mps, which {world} processes cannot share; choose cpu, or start one process")
    from accelerate import PartialState

    state = PartialState(cpu=device.torch.type == "cpu")
    return Team(replace(device, torch=state.device, title=f"{world} × {device.title}"), state.process_index, world)


def separate(net: nn.Module) -> bool:
    """Whether a net has statistics of its batch, which every process then takes of its own part."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in net.modules())


def _gather(rows: Tensor) -> Tensor:
    from accelerate.utils import gather

    return gather(rows.contiguous())
