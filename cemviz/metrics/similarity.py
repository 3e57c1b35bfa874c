"""Structural similarity: how alike two images look, place by place."""

import torch
from torch import Tensor
from torch.nn import functional as F

SIGMA, REACH = 1.5, 5
"""Standard deviation of the window in pixels, and how far it reaches from its middle."""

C1, C2 = 0.01**2, 0.03**2
"""Constants that keep flat places from dividing by 0, for images in [0, 1]."""


def similarity(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of each pair of images: the mean of `similarity_map`, (B, C, H, W) twice -> (B,), at most 1."""
    return similarity_map(x, y).mean((1, 2))


def similarity_map(x: Tensor, y: Tensor) -> Tensor:
    """SSIM at each pixel, mean over channels.

    (2 m_x m_y + c_1) (2 s_xy + c_2) / ((m_x^2 + m_y^2 + c_1) (s_x^2 + s_y^2 + c_2))

    m and s are means and covariances under a Gaussian window; at the border the images are mirrored.  Written out: the first
    import of torchmetrics takes longer than a first picture may, and its versions differ in what they do at the border.  A test
    holds the two equal.

    Args:
        x, y: images in [0, 1], (B, C, H, W), at least 6 pixels an edge.
    Returns:
        (B, H, W), from -1 to 1.
    Raises:
        ValueError: images of two shapes, or too small ones.
    Source: Wang et al. 2004 (thesis [184]).
    """
    if x.shape != y.shape or x.dim() != 4 or min(x.shape[-2:]) <= REACH:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise ValueError(f"images are {shapes}; give two of one shape (B, C, H, W), at least {REACH + 1} pixels an edge")
    places = torch.arange(-REACH, REACH + 1, device=x.device, dtype=x.dtype)
    window = (-(places**2) / (2 * SIGMA**2)).exp()
    window = (window / window.sum()).expand(x.shape[1], 1, 1, -1)

    def smoothed(v: Tensor) -> Tensor:
        v = F.pad(v, (REACH,) * 4, mode="reflect")
        return F.conv2d(F.conv2d(v, window, groups=v.shape[1]), window.mT, groups=v.shape[1])

    m_x, m_y, xx, yy, xy = smoothed(torch.cat([x, y, x * x, y * y, x * y])).chunk(5)
    # rounding may leave a variance below 0
    s_x, s_y, s_xy = (xx - m_x**2).clamp(min=0), (yy - m_y**2).clamp(min=0), xy - m_x * m_y
    alike = (2 * m_x * m_y + C1) * (2 * s_xy + C2) / ((m_x**2 + m_y**2 + C1) * (s_x + s_y + C2))
    return alike.mean(1)
