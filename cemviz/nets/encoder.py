"""Encoders g(x): a trunk, a projection head, and what turns inner products of their outputs into CEM's similarity.

    f(x, x') = g(x)^T g(x') = cos(v, v') / tau,   g(x) = v / (|v| sqrt(tau)),   v = head(trunk(x))

Length and temperature are the net's last layer, so that every energy of pairs stays the plain inner product of the paper.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from .resnet import resnet18, resnet50, small_resnet

TRUNKS: dict[str, Callable[..., nn.Sequential]] = {
    "small-resnet": small_resnet,
    "resnet18": resnet18,
    "resnet50": resnet50,
}
"""Classifiers that end in one linear layer, which an encoder leaves away and a linear probe puts back."""


class Encoder(nn.Module):
    """(B, C, H, W) -> features g(x), (B, M).

    Attributes:
        trunk: (B, C, H, W) -> (B, H), the features that a linear probe reads.
        head: the projection, (B, H) -> (B, M).
    """

    def __init__(self, trunk: nn.Sequential, head: nn.Module, temperature: float, unit: bool) -> None:
        super().__init__()
        self.trunk, self.head, self.temperature, self.unit = trunk, head, temperature, unit

    def forward(self, x: Tensor) -> Tensor:
        return self._scaled(self.head(self.trunk(x)))

    def of_trunk(self, x: Tensor) -> Tensor:
        """The features before the head, scaled alike, (B, C, H, W) -> (B, H): the other reading of CEM's encoder g."""
        return self._scaled(self.trunk(x))

    def _scaled(self, v: Tensor) -> Tensor:
        return (F.normalize(v, dim=1) if self.unit else v) / self.temperature**0.5


def encoder(
    mean: Sequence[float] = (0.5,),
    std: Sequence[float] = (0.25,),
    trunk: str = "small-resnet",
    projection: Sequence[int] = (128, 64),
    temperature: float = 0.5,
    unit: bool = True,
    **trunk_args: Any,
) -> Encoder:
    """An encoder with a projection head of linear layers, SimCLR's temperature and unit length.

    Args:
        trunk: key of TRUNKS; trunk_args are its own, without mean, std and outputs.
        projection: width of every layer of the head; none leaves the head away, so that g is the trunk.
        temperature: tau, above 0.
        unit: scale features to unit length before the temperature; without it, and with tau 1, f is the plain inner product
            that the paper writes.
    Raises:
        KeyError, ValueError: unknown trunk, bad numbers.
    Source: CEM (4), (6); Chen et al. 2020 (SimCLR): projection head, unit length, tau .5.
    """
    if trunk not in TRUNKS:
        raise KeyError(f"trunk is {trunk!r}; choose one of {', '.join(TRUNKS)}")
    if not 0 < temperature < float("inf"):
        raise ValueError(f"τ (temperature) is {temperature}; give a number above 0")
    if any(width < 1 for width in projection):
        raise ValueError(f"projection is {list(projection)}; give widths of at least 1")
    whole = TRUNKS[trunk](mean, std, 1, **trunk_args)
    widths = [whole[-1].in_features, *projection]
    layers: list[nn.Module] = []
    for inside, outside in pairwise(widths):
        layers += [nn.ReLU(), nn.Linear(inside, outside)] if layers else [nn.Linear(inside, outside)]
    return Encoder(whole[:-1], nn.Sequential(*layers), temperature, unit)


def trunk_of(net_args: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The trunk of an encoder that these arguments make: its key of TRUNKS, and its own arguments."""
    outer = ("mean", "std", "trunk", "projection", "temperature", "unit")
    return net_args.get("trunk", "small-resnet"), {k: v for k, v in net_args.items() if k not in outer}


def probed(trained: Encoder, net: nn.Sequential) -> nn.Sequential:
    """Put an encoder's trunk under the last layer of a classifier of the same shape, and freeze it: a linear probe.

    Args:
        trained: supplies weights and statistics.
        net: the classifier, changed in place; all but its last layer stays in eval mode without gradients.
    """
    net[:-1].load_state_dict(trained.trunk.state_dict())
    net[:-1].eval().requires_grad_(False)
    return net
