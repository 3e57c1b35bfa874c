"""A small convolutional net that sees the whole picture: two convolutions of stride 2 behind which layers are dense."""

from collections.abc import Sequence

from torch import nn

from .layers import ACTIVATIONS, Normalize


def small_cnn(
    mean: Sequence[float] = (0.5,),
    std: Sequence[float] = (0.25,),
    outputs: int = 10,
    width: int = 32,
    hidden: int = 256,
    side: int = 28,
    activation: str = "silu",
) -> nn.Sequential:
    """A 5x5 and a 3x3 convolution of stride 2, a hidden layer, scores: (B, C, side, side) -> (B, outputs).

    Our choice for binary nets of small images: it has no norm, is smooth, costs an eighth of a `small_resnet` of its size, and
    its hidden layer joins all places of the picture.

    Args:
        mean, std: of the data, per channel; their number is the number of channels.
        width: channels of the last map; the first has half of them.
        hidden: width of the dense layer.
        side: of the picture, a multiple of 4.
    """
    if width < 2 or hidden < 1 or side < 4 or side % 4:
        raise ValueError(f"width is {width}, hidden {hidden} and side {side}; give at least 2, 1, and a multiple of 4")
    bend = ACTIVATIONS[activation]
    return nn.Sequential(
        Normalize(mean, std),
        nn.Conv2d(len(mean), width // 2, 5, 2, 2),
        bend(),
        nn.Conv2d(width // 2, width, 3, 2, 1),
        bend(),
        nn.Flatten(),
        nn.Linear(width * (side // 4) ** 2, hidden),
        bend(),
        nn.Linear(hidden, outputs),
    )
