"""Models: weights and their card, one whole pair at every moment, refused where they do not match.

Matrices and kernels are stored in half precision, which halves the repository at no visible cost; vectors and statistics stay
in single precision.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ...nets import build
from . import cards, files
from .cards import Card, read_card
from .files import BrokenCheckpoint

SMALL = 3 * 64 * 64
"""Numbers of an input up to which a net is tried on one as it is loaded."""


def save(net: nn.Module | dict[str, Tensor], card: Card, *, full: bool = False) -> Path:
    """Write weights, then card; until the card is written the old model is whole, and then the new one is.

    Args:
        net: a net, or its state dict.
        card: gets the weights' hash.
        full: keep single precision.
    Returns:
        the weights' path.
    Raises:
        Unwritable: the model that stood there still does.
    """
    described = cards.path(card.name)
    cards.check(card)
    state = net.state_dict() if isinstance(net, nn.Module) else net
    stored = state if full else halved(state)
    return files.write_pair(described, stored, lambda sha256: replace(card, sha256=sha256).as_json())


def halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as it is stored: matrices and kernels in half precision."""
    return {k: v.half() if v.is_floating_point() and v.dim() > 1 and v.numel() > 64 else v for k, v in state.items()}


def digest(state: dict[str, Tensor]) -> str:
    """SHA-256 that a card would have of these weights."""
    return hashlib.sha256(files.packed(halved(state))).hexdigest()


def weights_path(card: Card) -> Path:
    """Where the weights of a model lie."""
    return files.tensors_path(cards.path(card.name), card.sha256)


def sweep(name: str) -> None:
    """Remove what killed saves of a model left behind; for who is alone in training it."""
    try:
        sha256 = read_card(name).sha256
    except (KeyError, BrokenCheckpoint):
        sha256 = None
    files.sweep_pair(cards.path(name), sha256)


def load(name: str, device: torch.device | str = "cpu") -> tuple[nn.Module, Card]:
    """Read a model: its net in eval mode with frozen weights, and its card.

    Raises:
        KeyError: no such model.
        BrokenCheckpoint: a card that cannot be right; missing, unreadable, truncated or changed weights, or weights of
            another net.
    """
    card = read_card(name)
    try:
        tensors = _weights(card)
    except BrokenCheckpoint:
        newer = read_card(name)
        if newer.sha256 == card.sha256:
            raise
        card, tensors = newer, _weights(newer)  # it was trained anew between the two readings
    net = build(card.net, **card.net_args)
    try:
        net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    except RuntimeError as error:
        fault = " ".join(str(error).split())
        raise BrokenCheckpoint(f"{weights_path(card).name} does not fit the net {card.net} of its card: {fault}") from error
    net.eval().requires_grad_(False)
    _try(net, card)
    return net.to(device, memory_format=torch.channels_last), card


def _weights(card: Card) -> dict[str, Tensor]:
    """The tensors of a model whose file matches its card."""
    try:
        return files.read_tensors(weights_path(card), card.sha256)
    except BrokenCheckpoint as fault:
        raise BrokenCheckpoint(f"{fault}; restore it, or run: {card.command}") from fault


def _try(net: nn.Module, card: Card) -> None:
    """Refuse a card whose shape its net does not take, where a try costs next to nothing."""
    if torch.Size(card.shape).numel() > SMALL:
        return
    try:
        with torch.no_grad():
            net(torch.zeros(1, *card.shape))
    except RuntimeError as error:
        raise BrokenCheckpoint(
            f"the card {card.name}.json says shape {list(card.shape)}, which its net {card.net} does not take: "
            f"{' '.join(str(error).split())}"
        ) from error
