"""Wide residual nets, as JEAT and JEM use them."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from .layers import ACTIVATIONS, GlobalMean, Normalize, norm_layer

SHORTCUTS, HALVES, PADS = ("active", "raw"), ("first", "second"), ("around", "after")
"""Variants of a pre-activated block that show in no shape: what a shortcut's convolution reads, the block's input after norm
and activation or as it is; which convolution halves the picture; where the zeros stand that it then reads beyond the edge."""


class PreActivation(nn.Module):
    """A residual block whose norm and activation stand before each convolution.

    Source: Zagoruyko & Komodakis 2016; Zhang et al. 2019 (TRADES) as they do, Grathwohl et al. 2020 (JEM) with "raw" and
    "second", Gowal et al. 2020 with "after".
    """

    def __init__(
        self,
        inside: int,
        outside: int,
        stride: int,
        norm: str,
        activation: str,
        shortcut: str = "active",
        halves: str = "first",
        pads: str = "around",
    ) -> None:
        super().__init__()
        for name, value, choices in (("shortcut", shortcut, SHORTCUTS), ("halves", halves, HALVES), ("pads", pads, PADS)):
            if value not in choices:
                raise ValueError(f"{name} is {value!r}; choose one of {', '.join(choices)}")
        bias = norm == "none"
        self.raw, self.after = shortcut == "raw", pads == "after" and stride == 2
        first, second = (stride, 1) if halves == "first" else (1, stride)
        self.before = nn.Sequential(norm_layer(norm, inside), ACTIVATIONS[activation]())
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, first, 0 if self.after else 1, bias=bias),
            norm_layer(norm, outside),
            ACTIVATIONS[activation](),
            nn.Conv2d(outside, outside, 3, second, 1, bias=bias),
        )
        same = stride == 1 and inside == outside
        self.shortcut = None if same else nn.Conv2d(inside, outside, 1, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        # the block's input may be shared with the shortcut, and the norm may be absent: activate a fresh tensor, never in place
        active = self.before(x + 0)
        beside = x if self.shortcut is None else self.shortcut(x if self.raw else active)
        return self.body(F.pad(active, (0, 1, 0, 1)) if self.after else active) + beside


def wide_resnet(
    mean: Sequence[float] = (0.5,) * 3,
    std: Sequence[float] = (0.25,) * 3,
    outputs: int = 10,
    depth: int = 28,
    widen: int = 10,
    norm: str = "batch",
    activation: str = "relu",
    shortcut: str = "active",
    halves: str = "first",
    pads: str = "around",
) -> nn.Sequential:
    """WRN-depth-widen, (B, C, H, W) -> (B, outputs).

    Args:
        depth: 6 n + 4.
        widen: width factor; WRN-28-10 has 36.5M weights.
        shortcut, halves, pads: of SHORTCUTS, HALVES and PADS, see `PreActivation`.
    Raises:
        ValueError: depth is not of that form.
    Source: Zagoruyko & Komodakis 2016; JEAT 4.1.
    """
    per_group, rest = divmod(depth - 4, 6)
    if rest or per_group < 1:
        raise ValueError(f"depth is {depth}; a wide residual net has 6 n + 4 layers (10, 16, 22, 28, 34)")
    variant = (shortcut, halves, pads)
    widths = (16, 16 * widen, 32 * widen, 64 * widen)
    blocks = [
        PreActivation(widths[g + (i > 0)], widths[g + 1], 2 if g and i == 0 else 1, norm, activation, *variant)
        for g in range(3)
        for i in range(per_group)
    ]
    return nn.Sequential(
        Normalize(mean, std),
        nn.Conv2d(len(mean), widths[0], 3, 1, 1, bias=norm == "none"),
        *blocks,
        norm_layer(norm, widths[3]),
        ACTIVATIONS[activation](),
        GlobalMean(),
        nn.Linear(widths[3], outputs),
    )
