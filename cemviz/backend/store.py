"""Stored models: NAME.safetensors and its card NAME.json, written atomically, refused when they do not match.

Matrices and kernels are stored in half precision, which halves the repository at no visible cost; vectors and statistics stay
in single precision.  Nothing is ever pickled.
"""

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..nets import build
from ..starts import Gaussians

REPOSITORY = Path(__file__).parents[2] / "checkpoints"


class BrokenCheckpoint(RuntimeError):
    """Weights and card do not belong together, or cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a model is and where it comes from: enough to make it again.

    Attributes:
        kind: classifier, encoder or binary.
        net, net_args: key of NETS and its arguments.
        shape: of an input, (C, H, W).
        classes: names in label order.
        recipe, scale, recipe_args: the row it was trained by and the fields that were changed.
        norm, radius: its threat model.
        steps, seconds: updates done, and the time they took on `device`.
        metrics: name -> {value, count, split, seed, ...}.
        command: what makes it again.
        sha256: of the weights file.
    """

    name: str
    title: str
    kind: str
    net: str
    net_args: dict[str, Any]
    data: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    recipe: str
    scale: str
    recipe_args: dict[str, Any]
    norm: str
    radius: float
    seed: int
    steps: int
    seconds: float
    device: str
    command: str
    created: str
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    sha256: str = ""
    notes: str = ""


def folder() -> Path:
    """Where models lie: CEMVIZ_CHECKPOINTS, else the repository's checkpoints/, else ./checkpoints of an installed package."""
    given = os.environ.get("CEMVIZ_CHECKPOINTS")
    if given:
        return Path(given).expanduser()
    return REPOSITORY if REPOSITORY.is_dir() else Path.cwd() / "checkpoints"


def cards() -> dict[str, Card]:
    """The cards of all stored models, by name; unreadable ones are left out here and refused by `load`."""
    found = {}
    for path in sorted(folder().glob("*.json")):
        try:
            found[path.stem] = read_card(path.stem)
        except (BrokenCheckpoint, ValueError):  # a broken card, or a file with a name that no model has: "mnist-at (1)"
            continue
    return found


def compared(data: str) -> list[Card]:
    """The classifiers of a data set that tables and grids compare: all but its judges, which are trained apart."""
    apart = judges(data)
    return [card for card in cards().values() if card.data == data and card.kind == "classifier" and card.name not in apart]


def judges(data: str) -> list[str]:
    """The stored classifiers that see samples for IS and FID: `DATA-judge`, the usual one, and any `DATA-judge-...`."""
    first = f"{data}-judge"
    found = [name for name, card in cards().items() if card.kind == "classifier" and f"{name}-".startswith(f"{first}-")]
    return sorted(found, key=len)


def read_card(name: str) -> Card:
    """The card of one model.

    Raises:
        KeyError: no such model.
        BrokenCheckpoint: the card cannot be read.
    """
    path = folder() / f"{checked(name)}.json"
    if not path.is_file():
        known = ", ".join(p.stem for p in sorted(folder().glob("*.json"))) or "none yet: train one"
        raise KeyError(f"no model {name!r} in {folder()}; there are {known}")
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return Card(**held | {"shape": tuple(held["shape"]), "classes": tuple(held["classes"])})
    except (ValueError, TypeError, KeyError) as error:
        raise BrokenCheckpoint(
            f"the card {path.name} cannot be read ({error}); restore it, or train the model again"
        ) from error


def save(net: nn.Module | dict[str, Tensor], card: Card) -> Path:
    """Write weights, then card, each in one piece; the card gets the weights' hash.

    Args:
        net: a net, or its state dict.
    Returns:
        the weights' path.
    """
    state = net.state_dict() if isinstance(net, nn.Module) else net
    packed = {k: v.half() if v.is_floating_point() and v.dim() > 1 and v.numel() > 64 else v for k, v in state.items()}
    path = folder() / f"{checked(card.name)}.safetensors"
    write_tensors(path, packed)
    write_card(_hashed(card, path))
    return path


def write_card(card: Card) -> None:
    """Write the card alone, in one piece: after its metrics were measured."""
    write_json(folder() / f"{checked(card.name)}.json", asdict(card), indent=2)


def write_json(path: Path, held: dict[str, Any], indent: int | None = None) -> None:
    """Write a JSON file in one piece."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_text(json.dumps(held, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def load(name: str, device: torch.device | str = "cpu") -> tuple[nn.Module, Card]:
    """Read a model: its net in eval mode with frozen weights, and its card.

    Raises:
        KeyError: no such model.
        BrokenCheckpoint: missing, truncated or changed weights, or weights of another net.
    """
    card = read_card(name)
    path = folder() / f"{name}.safetensors"
    if not path.is_file():
        raise BrokenCheckpoint(f"{path.name} is missing beside its card; restore it, or run: {card.command}")
    if digest(path) != card.sha256:
        raise BrokenCheckpoint(
            f"{path.name} does not match its card (changed or truncated); restore it, or run: {card.command}"
        )
    net = build(card.net, **card.net_args)
    try:
        net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()})
    except (RuntimeError, SafetensorError) as error:
        raise BrokenCheckpoint(f"{path.name} does not fit the net {card.net} of its card: {error}") from error
    return net.to(device, memory_format=torch.channels_last).eval().requires_grad_(False), card


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a flat dict of tensors in one piece: a reader finds the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial)
    partial.replace(path)


def sweep(path: Path) -> None:
    """Remove what writers of this file, or of a card beside it, left half written when they were killed."""
    for partial in path.parent.glob("*.part"):
        if re.fullmatch(rf"{re.escape(path.stem)}\.(json\.)?\d+\.part", partial.name):
            partial.unlink(missing_ok=True)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a flat dict of tensors.

    Raises:
        BrokenCheckpoint: the file is truncated or not a safetensors file.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise BrokenCheckpoint(f"{path.name} cannot be read ({error}); delete it, or restore it") from error


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_gaussians(data: str, gaussians: Gaussians) -> Path:
    """Store the seeds of a data set in half precision."""
    path = folder() / "seeds" / f"{data}.safetensors"
    write_tensors(path, {k: getattr(gaussians, k).half() for k in ("means", "factors", "floors")})
    return path


def load_gaussians(data: str, device: torch.device | str = "cpu") -> Gaussians | None:
    """The stored seeds of a data set, or None where none are shipped."""
    path = folder() / "seeds" / f"{data}.safetensors"
    if not path.is_file():
        return None
    return Gaussians(**{k: v.float().to(device) for k, v in read_tensors(path).items()})


def _hashed(card: Card, path: Path) -> Card:
    return Card(**asdict(card) | {"sha256": digest(path)})


def checked(name: str) -> str:
    """A name that is safe as a file's: ValueError where it is not.  Models of the tables' seeds lie in a folder "evidence/"."""
    if not re.fullmatch(r"(evidence/)?[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ValueError(f"model name is {name!r}; use letters, digits, dot, dash and underscore, at most 64")
    return name
