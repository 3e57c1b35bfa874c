"""How good a set of generated images is: Inception Score, distances, precision and recall, on a named extractor's features.

The papers use Inception's weights.  Where they are not on the machine a judge takes their place: a classifier of this project,
trained apart from every net it judges.  The arithmetic is the same, the numbers are not: only equal extractors are compared.
Both scores are biased with few samples (FID upwards, IS downwards), so that a number stands beside its sample count.
"""

import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from statistics import pvariance

import torch
from torch import Tensor, nn

INCEPTION_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"  # the file's name in torch hub's cache, from torch-fidelity


@dataclass(frozen=True, slots=True)
class Extractor:
    """Net that sees the images.

    Attributes:
        name: "inception" or "judge-NAME"; it stands beside every number.
        features: (N, C, H, W) in [0, 1] -> (N, M).
        logits: (N, M) -> (N, classes).
    """

    name: str
    features: nn.Module
    logits: nn.Module

    def __call__(self, x: Tensor, size: int = 250) -> Tensor:
        """Features of many images, `size` at a time, in float64: (N, C, H, W) -> (N, M) on the CPU."""
        with torch.no_grad():
            return torch.cat([self.features(part).flatten(1).cpu() for part in x.split(size)]).double()


def judge(name: str, net: nn.Module) -> Extractor:
    """A classifier of this project as an extractor: its features are the input of its last linear layer.

    Args:
        name: of the stored model.
        net: in eval mode, an nn.Sequential that ends in an nn.Linear.
    Raises:
        ValueError: a net of another form.
    """
    if not (isinstance(net, nn.Sequential) and len(net) > 1 and isinstance(net[-1], nn.Linear)):
        raise ValueError(f"model {name!r} cannot judge: give a classifier that ends in a linear layer")
    return Extractor(f"judge-{name}", net[:-1], net[-1])


def inception_here() -> bool:
    """Whether torch-fidelity is installed and its Inception weights lie in torch hub's cache."""
    weights = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_WEIGHTS
    return importlib.util.find_spec("torch_fidelity") is not None and weights.is_file()


class Bytes(nn.Module):
    """Hand images to a net that wants three channels of uint8: (N, C, H, W) in [0, 1], C 1 or 3."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net((x * 255).round().clamp(0, 255).byte().expand(-1, 3, -1, -1))


def inception(device: torch.device | str = "cpu") -> Extractor:
    """Inception-v3 with torch-fidelity's weights, as in the papers.  Raises LookupError where they are not here."""
    if importlib.util.find_spec("torch_fidelity") is None:
        raise LookupError("torch-fidelity is not installed, and Inception needs it: pip install torch-fidelity, or use a judge")
    if not inception_here():
        raise LookupError(f"Inception's weights ({INCEPTION_WEIGHTS}) are not on this machine; download them, or use a judge")
    from torchmetrics.image.fid import NoTrainInceptionV3  # imported here: it takes seconds

    net = NoTrainInceptionV3("inception-v3-compat", ["2048"]).to(device).requires_grad_(False)
    unbiased = nn.Linear(net.fc.in_features, net.fc.out_features, bias=False, device="meta")
    unbiased.weight = nn.Parameter(net.fc.weight.detach().cpu(), requires_grad=False)  # the features arrive on the CPU
    return Extractor("inception", Bytes(net), unbiased)


def frechet(real: Tensor, generated: Tensor) -> float:
    """Frechet distance between the Gaussians fitted to two sets of features (FID where Inception sees them); lower is better.

    |m - m'|^2 + tr(S + S' - 2 (S S')^(1/2)),  S with n - 1 in its denominator

    The trace of (S S')^(1/2) is the sum of the singular values of A B^T, where S = A^T A and S' = B^T B: with fewer images than
    features that is fast, and no root of a rounded eigenvalue is taken.

    Args:
        real, generated: from one `Extractor`, (n, M) and (m, M) with n, m at least 2.
    Raises:
        ValueError: fewer than two images in a set.
    Source: Heusel et al. 2017; JEAT Table 2.
    """
    if min(len(real), len(generated)) < 2:
        raise ValueError(f"there are {len(real)} real and {len(generated)} generated images; a covariance needs at least 2")
    means, roots = [], []
    for x in (real.double(), generated.double()):
        means.append(x.mean(0))
        roots.append(torch.linalg.qr((x - means[-1]) / (len(x) - 1) ** 0.5).R)
    a, b = roots
    cross = torch.linalg.svdvals(a @ b.T).sum()
    return ((means[0] - means[1]).square().sum() + a.square().sum() + b.square().sum() - 2 * cross).item()


def frechet_error(real: Tensor, generated: Tensor, groups: int = 10) -> float | None:
    """Standard error of the Frechet distance under redrawing both sets of images: a jackknife over tenths of each.

    ((g - 1) / g sum_i (d_i - mean d)^2)^(1/2),  d_i the distance without the i-th of g parts of both sets

    Args:
        real, generated: as for `frechet`, in random order.
        groups: g.
    Returns:
        None where a set has fewer than two images a part.
    Source: Quenouille 1956; Tukey 1958.
    """
    if min(len(real), len(generated)) < 2 * groups:
        return None
    distances = [frechet(_without(real, i, groups), _without(generated, i, groups)) for i in range(groups)]
    return ((groups - 1) * pvariance(distances)) ** 0.5


def _without(x: Tensor, part: int, groups: int) -> Tensor:
    """Images but for a run of them: where classes come in turn, a run holds all of them, and every tenth image one."""
    return x[torch.arange(len(x), device=x.device) * groups // len(x) != part]


def kernel_distance(real: Tensor, generated: Tensor) -> float:
    """Kernel distance of two sets of features (KID where Inception sees them): unbiased, so that few images do not raise it.

    mean k(x, x')_(x != x') + mean k(y, y')_(y != y') - 2 mean k(x, y),  k(x, y) = (x . y / M + 1)^3

    Args:
        real, generated: from one `Extractor`, (n, M) and (m, M) with n, m at least 2.
    Returns:
        the squared maximum mean discrepancy; it scatters about 0, and may lie below it, where both sets follow one law.
    Raises:
        ValueError: fewer than two images in a set.
    Source: Binkowski et al. 2018.
    """
    if min(len(real), len(generated)) < 2:
        raise ValueError(f"there are {len(real)} real and {len(generated)} generated images; pairs need at least 2 of each")
    x, y = real.double(), generated.double()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def among(a: Tensor) -> Tensor:
        k = kernel(a, a)
        return (k.sum() - k.trace()) / (len(a) * (len(a) - 1))

    return (among(x) + among(y) - 2 * kernel(x, y).mean()).item()


def precision_recall(real: Tensor, generated: Tensor, k: int = 3) -> tuple[float, float]:
    """Precision and recall of samples: how many lie among real images, and how many real images lie among them.

    A set's region is the union of the balls about its members that reach to their k-th nearest other member.

    Args:
        real, generated: from one `Extractor`, (n, M) and (m, M) with more than k members each.
        k: neighbours; a larger one joins more of the space to the regions.
    Returns:
        share of generated in the region of real, share of real in that of generated: both in [0, 1].
    Raises:
        ValueError: k below 1, or a set of k images or fewer.
    Source: Kynkaanniemi et al. 2019, (1)(2), their k 3.
    """
    fewer = min(len(real), len(generated))
    if not 1 <= k < fewer:
        raise ValueError(f"k is {k}; give a whole number from 1 to {fewer - 1}, below the number of images in each set")

    def covered(points: Tensor, members: Tensor) -> float:
        reach = torch.cdist(members, members).kthvalue(k + 1, dim=1).values  # the nearest of all is the member itself
        return (torch.cdist(points, members) <= reach).any(1).double().mean().item()

    x, y = real.double(), generated.double()
    return covered(y, x), covered(x, y)


def inception_score(extractor: Extractor, features: Tensor, splits: int = 10, seed: int = 0) -> tuple[float, float]:
    """Inception Score: high where each image has a clear class and the classes are many; between 1 and their number.

    exp( E_x KL( p(y | x) || E_x p(y | x) ) ), mean over splits of the shuffled images

    Args:
        extractor: whose logits say p(y | x).
        features: from the same extractor, (N, M).
        splits: number of parts, at least 1 and at most N; equal ones, of which the last may be smaller.
        seed: of the shuffle; the global random state is left as it was.
    Returns:
        mean and standard deviation over splits; 0 deviation for one split.
    Raises:
        ValueError: splits out of range, or one that leaves a part empty.
    Source: Salimans et al. 2016; JEAT Table 2.
    """
    from torchmetrics.image.inception import InceptionScore  # imported here: it takes seconds

    if not 1 <= splits <= len(features):
        raise ValueError(f"splits is {splits}; give a whole number from 1 to the number of images, {len(features)}")
    if (parts := len(features.chunk(splits))) != splits:
        raise ValueError(f"splits is {splits}; {len(features)} images fall into {parts} equal parts, give {parts}")
    weight = next(extractor.logits.parameters())
    with torch.no_grad():
        # a class that a confident judge never sees has probability 0 in float, and the score needs its logarithm
        f = extractor.logits(features.to(weight)).cpu().double().log_softmax(1).clamp(min=-600)
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # of the memory that the logits take
        torch.default_generator.manual_seed(seed)  # what torchmetrics shuffles with; a GPU's state stays as it is
        metric = InceptionScore(nn.Identity(), splits=splits)  # in place of the net: its logits are here
        metric.update(f)
        mean, deviation = metric.compute()
    return mean.item(), deviation.item() if splits > 1 else 0.0
