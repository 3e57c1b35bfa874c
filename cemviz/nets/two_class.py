"""A binary net read as a classifier of two classes, data and what is none: the logit of the second is 0.

    f(x) = [d(x), 0]:   p(data | x) = sigmoid(d) = D(x)

So whatever reads a classifier's logits reads a binary net too: of these, `joint` of class 0 is its energy -d, `marginal` is
log(1 - D), which the attack of the game minimises (thesis (2.13)), and the cross-entropy of class 0 is -log D.
"""

import torch
from torch import Tensor, nn


class TwoClass(nn.Module):
    """(B, C, H, W) -> logits of data and of the rest, (B, 2).

    Attributes:
        net: (B, C, H, W) -> the binary logit d, (B,) or (B, 1).
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        d = self.net(x).flatten()
        return torch.stack([d, torch.zeros_like(d)], 1)
