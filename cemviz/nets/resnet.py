"""Residual nets: one that two cores can train, ResNet-18 and ResNet-50 for small images, and the family they belong to."""

from collections.abc import Callable, Sequence

from torch import nn

from .layers import ACTIVATIONS, Bottleneck, GlobalMean, Normalize, Residual, norm_layer
from .wide_resnet import PreActivation


def small_resnet(
    mean: Sequence[float] = (0.5,),
    std: Sequence[float] = (0.25,),
    outputs: int = 10,
    width: int = 16,
    depth: int = 2,
    norm: str = "batch",
    activation: str = "relu",
    flat: int | None = None,
) -> nn.Sequential:
    """A residual net behind a 5x5 stem of stride 2, (B, C, H, W) -> (B, outputs).

    Our choice for the laptop scale: on 28x28x1 with width 16 and depth 2 it has 73,000 weights.

    Args:
        mean, std: of the data, per channel; their number is the number of channels.
        width: of the stem; block i has width * 2^i channels.
        depth: number of residual blocks, at least 1; every block but the first halves the image.
        norm: batch, double or none.
        flat: side of the last map (7 for 28x28 and depth 2) to read all of it instead of its mean: that keeps where things
            are, from which centred digits gain much robustness.
    """
    if depth < 1 or width < 1:
        raise ValueError(f"width is {width} and depth is {depth}; give at least 1")
    blocks = [Residual(width * 2 ** (i - 1), width * 2**i, 1 if i == 1 else 2, norm, activation) for i in range(1, depth + 1)]
    return nn.Sequential(
        Normalize(mean, std),
        *_stem(len(mean), width, 5, 2, norm, activation),
        *blocks,
        GlobalMean() if flat is None else nn.Flatten(),
        nn.Linear(width * 2**depth * (1 if flat is None else flat**2), outputs),
    )


def resnet18(
    mean: Sequence[float] = (0.5,) * 3,
    std: Sequence[float] = (0.25,) * 3,
    outputs: int = 10,
    width: int = 64,
    norm: str = "batch",
    activation: str = "relu",
) -> nn.Sequential:
    """ResNet-18 with a 3x3 stem for 28x28 and 32x32 images, (B, C, H, W) -> (B, outputs).

    Args:
        width: 64 is the published net (11.2M weights); 32 has 2.8M, 16 has 0.7M.
    Source: He et al. 2016.
    """
    return resnet(mean, std, outputs, width, "basic", (2, 2, 2, 2), norm=norm, activation=activation)


def resnet50(
    mean: Sequence[float] = (0.5,) * 3,
    std: Sequence[float] = (0.25,) * 3,
    outputs: int = 10,
    width: int = 64,
    norm: str = "batch",
    activation: str = "relu",
) -> nn.Sequential:
    """ResNet-50 with a 3x3 stem for 32x32 images: CEM's supervised model, 23.5M weights at width 64.

    Source: He et al. 2016; CEM C.1.
    """
    return resnet(mean, std, outputs, width, "bottleneck", (3, 4, 6, 3), norm=norm, activation=activation)


BLOCKS: dict[str, tuple[Callable[..., nn.Module], int]] = {
    "basic": (Residual, 1),
    "bottleneck": (Bottleneck, 4),
    "pre-activated": (PreActivation, 1),
}
"""Blocks of a `resnet`, and how many times its width each one gives."""


def resnet(
    mean: Sequence[float] = (0.5,) * 3,
    std: Sequence[float] = (0.25,) * 3,
    outputs: int = 10,
    width: int = 64,
    block: str = "basic",
    repeats: Sequence[int] = (2, 2, 2, 2),
    stem: int = 3,
    pool: bool = False,
    last: bool = True,
    shortcut: str = "active",
    norm: str = "batch",
    activation: str = "relu",
) -> nn.Sequential:
    """A residual net of stages, each twice as wide as the one before and of half its side, (B, C, H, W) -> (B, outputs).

    Args:
        block: key of BLOCKS.
        repeats: blocks of each stage: (2, 2, 2, 2) and (3, 4, 6, 3) are ResNet-18 and -34, or -50 with bottlenecks.
        stem: side of the first kernels: 3, or 7 with stride 2 for large images.
        pool: halve the picture behind the stem once more.
        last: of pre-activated blocks: a norm and an activation behind the last one (Wong et al. 2020 have them, others do not).
        shortcut: of pre-activated blocks, see `PreActivation`.
    Raises:
        ValueError: another block, stem or number of blocks.
    Source: He et al. 2016a, b.
    """
    if block not in BLOCKS:
        raise ValueError(f"block is {block!r}; choose one of {', '.join(BLOCKS)}")
    if stem not in (3, 7) or not repeats or min(repeats) < 1:
        raise ValueError(f"stem is {stem} and repeats are {list(repeats)}; give 3 or 7, and at least 1 block a stage")
    make, widens = BLOCKS[block]
    before = block == "pre-activated"  # norm and activation stand before a convolution, not behind it
    extra = (shortcut,) if before else ()
    blocks, inside = [], width
    for stage, count in enumerate(repeats):
        for i in range(count):
            blocks.append(make(inside, width * 2**stage, 2 if stage and i == 0 else 1, norm, activation, *extra))
            inside = widens * width * 2**stage
    ending = (norm_layer(norm, inside), ACTIVATIONS[activation]()) if before and last else ()
    return nn.Sequential(
        Normalize(mean, std),
        *_stem(len(mean), width, stem, 1 if stem == 3 else 2, norm, activation)[: 1 if before else None],
        *([nn.MaxPool2d(3, 2, 1)] if pool else []),
        *blocks,
        *ending,
        GlobalMean(),
        nn.Linear(inside, outputs),
    )


def _stem(channels: int, width: int, size: int, stride: int, norm: str, activation: str) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels, width, size, stride, size // 2, bias=norm == "none")
    return convolution, norm_layer(norm, width), ACTIVATIONS[activation]()
