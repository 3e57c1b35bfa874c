"""An encoder with some images held fixed is a classifier whose classes are those images.

    s_k(x) = g(x)^T g(x_k)

So whatever reads a classifier's scores reads an encoder too: of these, `joint` is the energy E(x, x_k) of a pair, `marginal`
the energy E(x) against all the images, and the cross-entropy between the two is InfoNCE.
"""

import torch
from torch import Tensor, nn


class Instances(nn.Module):
    """(B, C, H, W) -> similarities to the images held fixed, (B, N).

    Attributes:
        encoder: (B, C, H, W) -> features g(x), (B, M).
        anchors: features of the images, (N, M).

    Source: CEM (4), (17): "instance-wise K-class cross entropy loss for non-parametric classification".
    """

    def __init__(self, encoder: nn.Module, images: Tensor) -> None:
        """Hold images fixed, (N, C, H, W) in [0, 1]."""
        super().__init__()
        self.encoder = encoder
        with torch.no_grad():
            self.register_buffer("anchors", encoder(images))

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x) @ self.anchors.T
