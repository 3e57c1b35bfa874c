"""BatchNorm folded into the convolution before it: in eval mode both are affine, and one pass does the work of two."""

from itertools import pairwise

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
    for block in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        for (name, convolution), (behind, norm) in pairwise(list(block.named_children())):
            if type(convolution) is nn.Conv2d and type(norm) is nn.BatchNorm2d and norm.running_mean is not None:
                block[int(name)] = fuse_conv_bn_eval(convolution, norm)
                block[int(behind)] = nn.Identity()
    return net.eval().requires_grad_(False)
