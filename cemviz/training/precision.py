"""Mixed precision: passes through the net in bfloat16, weights, energies and updates in float32.

Only the net's own forward pass is cast, and the backward pass follows it: energies, losses and the steps of attacks and chains
are sums and small differences, for which eight bits of mantissa are too few.
"""

import torch
from torch import Tensor, nn

from .loop import Batch, Objective

PRECISIONS: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16}


class Cast(nn.Module):
    """A net whose forward pass computes in another dtype: float32 in, float32 out."""

    def __init__(self, net: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.net, self.dtype = net, dtype

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, self.dtype):
            return self.net(x).float()


class Mixed:
    """An objective that sees its net through `Cast`: its attacks and chains run in the lower precision too.

    Attributes:
        objective: what is trained.
        dtype: of the net's passes.
        tensors: those of the objective.
    """

    def __init__(self, objective: Objective, dtype: torch.dtype) -> None:
        self.objective, self.dtype = objective, dtype
        self.tensors = getattr(objective, "tensors", {})
        self._cast: Cast | None = None

    def __call__(self, net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        if self._cast is None or self._cast.net is not net:  # one for all steps: attacks keep a view of it
            self._cast = Cast(net, self.dtype)
        return self.objective(self._cast, batch, progress)
