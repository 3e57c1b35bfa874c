"""BatchNorm folded into the convolution before it: in eval mode both are affine, and one pass does the work of two."""

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold(net: nn.Module) -> nn.Module:
    """Fold, in place, every BatchNorm that stands right behind a convolution in a Sequential; the others stay.

    The net is for eval mode from then on, and its state dict is no longer that of its architecture. Its outputs change by the
    rounding of single precision: W' = W γ / √(σ² + ε), b' = β + (b - μ) γ / √(σ² + ε).

    Args:
        net: in eval mode.
    Returns:
        the same net, in eval mode, its weights frozen.
    Raises:
        ValueError: it is in train mode, where BatchNorm takes the statistics of the batch.
    Source: Jacob et al. 2018, section 3.2.
    """
    if net.training:
        raise ValueError("the net is in train mode; call eval() first: there BatchNorm takes the statistics of the batch")
    for block, at, behind in _pairs(net):
        block[at] = fuse_conv_bn_eval(block[at], block[behind])
        block[behind] = nn.Identity()
    return net.eval().requires_grad_(False)


def _pairs(net: nn.Module) -> list[tuple[nn.Sequential, int, int]]:
    """Each convolution with a BatchNorm right behind it: the Sequential that holds both, and their places in it."""
    blocks = [module for module in net.modules() if isinstance(module, nn.Sequential)]
    return [
        (block, int(name), int(behind))
        for block in blocks
        for (name, convolution), (behind, norm) in pairwise(list(block.named_children()))
        if type(convolution) is nn.Conv2d and type(norm) is nn.BatchNorm2d and norm.running_mean is not None
    ]


def foldable(net: nn.Module) -> bool:
    """Whether a net has a BatchNorm that `fold` would fold."""
    return bool(_pairs(net))


class Twin:
    """The folded view of a net in training, for the attacks of each step: as it stands now, in eval mode, frozen.

    Attributes:
        net: in training; its weights and statistics are read at every call.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self._view = copy.deepcopy(net).eval()
        places = _pairs(self._view)
        theirs = [(block[at], block[behind]) for block, at, behind in _pairs(net)]
        fold(self._view)
        self._folded = [(*pair, block[at]) for pair, (block, at, _) in zip(theirs, places, strict=True)]
        convolutions = {id(part) for _, _, convolution in self._folded for part in convolution.parameters()}
        sources = dict(net.named_parameters()) | dict(net.named_buffers())
        parts = [*self._view.named_parameters(), *self._view.named_buffers()]
        self._same = [(sources[name], part) for name, part in parts if id(part) not in convolutions]

    @torch.no_grad()
    def __call__(self) -> nn.Module:
        """The view, made anew from the net's weights and statistics."""
        for convolution, norm, view in self._folded:
            scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
            torch.mul(convolution.weight, scale[:, None, None, None], out=view.weight)
            bias = -norm.running_mean if convolution.bias is None else convolution.bias - norm.running_mean
            torch.addcmul(norm.bias, bias, scale, out=view.bias)
        for source, view in self._same:
            view.copy_(source)
        return self._view
