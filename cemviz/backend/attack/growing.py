"""One image under attacks of growing radius: where does a net change its mind?"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ...attacks import attack, threat
from ...draws import Generator
from ...dynamics import Norm
from ...energies import conditional
from ...inputs import Scores
from ...metrics.answers import logits


def growing(
    net: Scores, x: Tensor, y: Tensor, norm: Norm, radii: Sequence[float], steps: int, generator: Generator | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """The worst image that PGD finds within each radius, and what the net says of it.

    A smaller ball lies in a larger one, so that what was found stays until something worse is.

    Args:
        net: classifier in eval mode.
        x, y: one image, (1, C, H, W), and its label, (1,).
        norm, radii: of the balls, ascending; 0 is the image itself.
        steps: K of each attack.
    Yields:
        image (C, H, W) and logits (classes,) for each radius.
    """
    worst = x
    for radius in radii:
        if radius:
            *_, last = attack("pgd", net, x, y, threat("pgd", norm, radius, steps), generator=generator)
            both = torch.cat([worst, last.x])
            worst = both[conditional(logits(net, both), y.expand(2)).argmax()][None]
        yield worst[0], logits(net, worst)[0]


def flips(f: Tensor, label: int, radii: Sequence[float]) -> float | None:
    """The first radius at which logits, (radii, classes), are no longer largest for the label; None where they always are."""
    return next((radius for radius, says in zip(radii, f.argmax(1).tolist(), strict=True) if says != label), None)
