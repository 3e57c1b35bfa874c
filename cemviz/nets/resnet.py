"""Residual nets for small images: one that two cores can train, ResNet-18 and ResNet-50 with a free width."""

from collections.abc import Sequence

from torch import nn

from .layers import ACTIVATIONS, Bottleneck, GlobalMean, Normalize, Residual, norm_layer


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
    return _staged(Residual, 1, (2, 2, 2, 2), mean, std, outputs, width, norm, activation)


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
    return _staged(Bottleneck, 4, (3, 4, 6, 3), mean, std, outputs, width, norm, activation)


def _staged(
    block: type[Residual] | type[Bottleneck],
    widens: int,
    repeats: Sequence[int],
    mean: Sequence[float],
    std: Sequence[float],
    outputs: int,
    width: int,
    norm: str,
    activation: str,
) -> nn.Sequential:
    """Stages of blocks, each twice as wide as the one before and of half its side; a block gives `widens` times its width."""
    blocks, inside = [], width
    for stage, count in enumerate(repeats):
        for i in range(count):
            blocks.append(block(inside, width * 2**stage, 2 if stage and i == 0 else 1, norm, activation))
            inside = widens * width * 2**stage
    stem = _stem(len(mean), width, 3, 1, norm, activation)
    return nn.Sequential(Normalize(mean, std), *stem, *blocks, GlobalMean(), nn.Linear(inside, outputs))


def _stem(channels: int, width: int, size: int, stride: int, norm: str, activation: str) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels, width, size, stride, size // 2, bias=norm == "none")
    return convolution, norm_layer(norm, width), ACTIVATIONS[activation]()
