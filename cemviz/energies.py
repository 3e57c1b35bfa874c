"""Every energy of the three papers, as a pure function of scores (logits f, features z, or a binary logit d).

Energies are minimised: a chain descends them, and low means likely.  `joint`, `marginal`, `binary`, `pair` and `against` are
energies proper: -E is a log-density up to a constant.  `conditional`, `odds`, `reinforced`, `divergence`, `infonce`,
`nt_xent`, `repelled`, `crowding` and anything `negated` are objectives built from them; they have the same type, and their
docstrings say what going down means.

Because they take scores and not nets, a trainer can share one forward pass between several terms and a test needs no net.
`on` is the only bridge from a net to an energy of its input.

| paper                | here      | shape          |
|----------------------|-----------|----------------|
| f(x), h(x)           | f         | (B, C) logits  |
| y, y^                | y         | (B,) int64     |
| g(x)                 | z         | (B, M)         |
| x', its features     | other     | (B, M)         |
| negatives x^_k       | refs      | (N, M)         |
| f_theta(x), binary   | d         | (B,) or (B, 1) |
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Energy = Callable[[Tensor], Tensor]
"""An energy of the input: (B, *D) -> (B,)."""

Scored = Callable[..., Tensor]
"""An energy of scores: (scores, *given) -> (B,)."""


def joint(f: Tensor, y: Tensor) -> Tensor:
    """Joint energy of an input and a label: descending it raises p(x, y), and p(x | y) for a fixed y.

    E(x, y) = -f(x)[y]

    Args:
        f: logits, (B, C).
        y: label, (B,) int64 in [0, C).
    Returns:
        energy, (B,).
    Source: CEM (3), (14); JEAT (12), (17).
    """
    return -f.gather(1, y[:, None]).squeeze(1)


def marginal(f: Tensor) -> Tensor:
    """Energy of an input alone: descending it raises p(x), whatever the label.

    E(x) = -log sum_k exp f(x)[k]

    Args:
        f: logits, (B, C).
    Returns:
        energy, (B,).
    Source: CEM (9); JEAT (12).
    """
    return -f.logsumexp(1)


def odds(f: Tensor, y: Tensor) -> Tensor:
    """Log-odds against the label: descending it raises p(y | x), as `conditional` does, with a gradient that never fades.

    log sum_{k != y} exp f[k] - f[y] = -log( p(y | x) / (1 - p(y | x)) )

    Args:
        f: logits, (B, C), C at least 2.
        y: label, (B,) int64 in [0, C).
    Returns:
        log-odds, (B,), positive where the label has less than half of the probability.
    """
    return f.scatter(1, y[:, None], -torch.inf).logsumexp(1) + joint(f, y)


def conditional(f: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy as a difference of energies: descending it raises p(y | x), at the cost of p(x).

    E(x, y) - E(x) = -f[y] + logsumexp(f) = -log p(y | x) = log(1 + exp odds)

    Computed by its last form: the difference of two large energies would round away the loss of a confident net, and with it
    the direction in which attacks climb.

    Args:
        f: logits, (B, C).
        y: label, (B,) int64 in [0, C).
    Returns:
        cross-entropy in nats, (B,), at least 0.
    Source: CEM (8), (13); JEAT (13), (14), (16).
    """
    return -F.logsigmoid(-odds(f, y))


def reinforced(f: Tensor, y: Tensor) -> Tensor:
    """Joint plus marginal energy: descending it raises p(x | y) and p(x) together.

    E(x, y) + E(x) = -f[y] - logsumexp(f)

    Args:
        f: logits, (B, C).
        y: label, (B,) int64 in [0, C).
    Returns:
        objective, (B,).
    Source: CEM (15).
    """
    return joint(f, y) + marginal(f)


def divergence(f: Tensor, other: Tensor) -> Tensor:
    """How far a prediction is from another: descending it makes p(. | x) agree with p(. | x').

    KL(p(. | x') || p(. | x)) = sum_k p(k | x') [ log p(k | x') - log p(k | x) ]

    Args:
        f: logits of x, (B, C).
        other: logits of x', (B, C).
    Returns:
        divergence in nats, (B,), at least 0.
    Source: CEM 4.2, A.1.1 (TRADES).
    """
    log_p, log_q = other.log_softmax(1), f.log_softmax(1)
    return (log_p.exp() * (log_p - log_q)).sum(1)


def binary(d: Tensor) -> Tensor:
    """Energy of a binary classifier D = sigmoid(d): descending it raises D, and moves an input towards the data.

    E(x) = -d(x)

    Args:
        d: logit, (B,) or (B, 1).
    Returns:
        energy, (B,).
    Source: thesis (2.5), (2.8).
    """
    return -d.flatten()


def pair(z: Tensor, other: Tensor) -> Tensor:
    """Energy of two inputs through their features: descending it makes the pair more alike.

    E(x, x') = -g(x)^T g(x')

    Args:
        z: features of x, (B, M).
        other: features of x', (B, M).
    Returns:
        energy, (B,).
    Source: CEM (4).
    """
    return -(z * other).sum(1)


def against(z: Tensor, refs: Tensor, but: Tensor | None = None) -> Tensor:
    """Energy of an input against reference inputs: an estimate, up to a constant, of E(x) in the unsupervised model.

    E(x) ~ -log sum_k exp g(x)^T g(x^_k)

    Args:
        z: features of x, (B, M).
        refs: features of the references, (N, M).
        but: pairs that do not count, (B, N) bool; None counts all.
    Returns:
        energy, (B,).
    Source: CEM (19).
    """
    similarity = z @ refs.T
    return -(similarity if but is None else similarity.masked_fill(but, -torch.inf)).logsumexp(1)


def infonce(z: Tensor, other: Tensor, refs: Tensor) -> Tensor:
    """InfoNCE as a difference of energies: descending it tells the positive x' from the references.

    E(x, x') - E(x) = -g(x)^T g(x') + log sum_k exp g(x)^T g(x^_k)

    Args:
        z: features of x, (B, M).
        other: features of the positive x', (B, M).
        refs: features of the negatives, (N, M); the loss is a cross-entropy only if they include x'.
    Returns:
        loss in nats, (B,); at least 0 where refs include other.
    Source: CEM (17), (20).
    """
    return pair(z, other) - against(z, refs)


def nt_xent(z: Tensor) -> Tensor:
    """InfoNCE of a batch of pairs, as SimCLR takes it: the references of a view are all the other views of the batch.

    E(x_i, x_i') - E(x_i), where x_i' is the image's other view and the sum of E(x_i) leaves out i itself

    Args:
        z: features of 2 B views, (2 B, M): rows i and i + B belong to one image.
    Returns:
        loss in nats, (2 B,), at least 0.
    Raises:
        ValueError: an odd number of rows, or fewer than two pairs: then there is nothing to tell the other view from.
    Source: CEM (17); Chen et al. 2020, (1).
    """
    if len(z) < 4 or len(z) % 2:
        raise ValueError(f"there are {len(z)} views; give two of each of at least 2 images")
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    return pair(z, z.roll(len(z) // 2, 0)) - against(z, z, itself)


def repelled(z: Tensor, anchor: Tensor) -> Tensor:
    """InfoNCE upside down with the batch for references: descending it leaves the anchor and seeks the others.

    -[ E(x, x') - E(x) ] = g(x)^T g(x') - log sum_j exp g(x)^T g(x_j)

    Args:
        z: features of the batch, (B, M).
        anchor: features of what each member is paired with, (B, M).
    Returns:
        objective, (B,).
    Source: CEM (20); that the batch supplies the references is our reading.
    """
    return against(z, z) - pair(z, anchor)


def crowding(z: Tensor) -> Tensor:
    """How crowded a batch is in feature space: descending it for all members at once is MaxEnt sampling.

    log sum_j exp g(x_i)^T g(x_j), the inner sum includes j = i

    Args:
        z: features of the batch, (B, M).
    Returns:
        objective, (B,); minus its mean is the entropy estimate up to log B and log Z.
    Source: CEM (23), (24).
    """
    return -against(z, z)


def negated(energy: Scored) -> Scored:
    """The same energy upside down, so that descending the result climbs the original: what an untargeted attack does."""
    return lambda scores, *arguments: -energy(scores, *arguments)


def on(net: nn.Module | Callable[[Tensor], Tensor], energy: Scored, *arguments: Tensor) -> Energy:
    """Bind a net and further arguments (a label, features) to an energy of scores: the result is an energy of the input.

    Args:
        net: maps (B, *D) to scores, (B, ...).
        energy: one of this module's functions.
        arguments: the energy's others, each with batch size B where the energy asks for it.
    Returns:
        x -> energy(net(x), *arguments), (B, *D) -> (B,); its method `rows` gives the energy of some rows of the batch alone.
    """

    def bound(x: Tensor) -> Tensor:
        return energy(net(x), *arguments)

    bound.rows = lambda index: on(net, energy, *(part[index] for part in arguments))
    return bound
