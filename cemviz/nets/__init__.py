"""The nets, by name.  Each maps inputs in [0, 1] to scores and carries its own normalisation as its first layer.

`build` draws the initial weights from its own seed and leaves the global random state as it found it.
"""

from collections.abc import Callable

import torch
from torch import nn

from .cnn import small_cnn
from .encoder import encoder
from .graph import graph
from .mlp import mlp
from .one_vs_rest import one_vs_rest
from .resnet import resnet, resnet18, resnet50, small_resnet
from .wide_resnet import wide_resnet

NETS: dict[str, Callable[..., nn.Module]] = {
    "mlp": mlp,
    "small-cnn": small_cnn,
    "small-resnet": small_resnet,
    "resnet18": resnet18,
    "resnet50": resnet50,
    "resnet": resnet,
    "wide-resnet": wide_resnet,
    "encoder": encoder,
    "one-vs-rest": one_vs_rest,
    "graph": graph,
}


def build(name: str, *, seed: int = 0, **args) -> nn.Module:
    """Make a net with fresh weights.

    Args:
        name: key of NETS.
        seed: of the initial weights.
        args: of the net's function.
    Raises:
        KeyError: unknown net.
    """
    if name not in NETS:
        raise KeyError(f"no net {name!r}; choose one of {', '.join(NETS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETS[name](**args)


def parameters(net: nn.Module) -> int:
    """Number of weights that training changes."""
    return sum(p.numel() for p in net.parameters())
