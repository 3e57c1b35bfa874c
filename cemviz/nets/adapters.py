"""Nets of other projects, recognised by the names and shapes of their tensors, and brought onto ours.

`weights` takes the tensors out of what a file holds, `recognise` takes off what is wrapped around a net and tries the rows of
`families`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import NETS
from .families import FAMILIES, Match, State

CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "network", "params")
"""Keys under which a file keeps the weights beside an optimizer, an epoch and the like."""

WRAPPERS = ("module", "_orig_mod", "model", "net", "network")
"""Modules around a net that only pass on to it: DataParallel, torch.compile, attackers and normalisers."""

COPIES = ("attacker",)
"""Modules that hold the same weights once more (robustness' AttackerModel)."""

CONSTANTS = (("new_mean", "new_std"), ("mean", "std"), ("mu", "sigma"), ("mu", "std"))
"""Names of the constants of a layer that normalises: (x - mean) / std."""


class Unrecognised(ValueError):
    """Tensors of no family here; the message says what they look like, and what to do."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A foreign net as one of ours.

    Attributes:
        family: key of FAMILIES.
        match: our net, and what is left open.
        state: weights of our net by our names, without those of its normalisation.
        unused: their names that have no place in it.
        normalisation: mean and std per channel as the file has them, or None.
    """

    family: str
    match: Match
    state: dict[str, Tensor]
    unused: tuple[str, ...]
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None

    @property
    def channels(self) -> int:
        """Channels of an input."""
        return self.state["1.weight"].shape[1]


def weights(content: Any) -> dict[str, Tensor]:
    """The named tensors of a file: its own, or those under one of CONTAINERS.

    Raises:
        Unrecognised: there are none.
    """
    seen: set[int] = set()  # a file's part may hold itself
    while isinstance(content, Mapping) and id(content) not in seen:
        seen.add(id(content))
        inside = next((content[key] for key in CONTAINERS if isinstance(content.get(key), Mapping)), None)
        if inside is None:
            break
        content = inside
    state = {k: v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, Mapping) else {}
    if not state:
        raise Unrecognised(f"it holds a {type(content).__name__} without named tensors; save net.state_dict()")
    return {str(name): tensor for name, tensor in state.items()}


def stripped(state: State) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors without the names of their wrappers, and the names of those that are there twice."""
    bare: dict[str, Tensor] = {}
    twice = []
    for name, tensor in state.items():
        parts = name.split(".")
        while len(parts) > 1 and parts[0] in WRAPPERS:
            del parts[0]
        short = ".".join(parts)
        if parts[0] in COPIES or short in bare:
            twice.append(name)
        else:
            bare[short] = tensor
    return bare, twice


def unwrapped(state: State) -> Iterator[dict[str, Tensor]]:
    """The tensors as they are named, then without what all of their names begin with, as those of `Sequential(Normalize, net)`.

    Args:
        state: without the constants of a normalisation, see `normalisation`.
    """
    bare = dict(state)
    while bare:
        yield bare
        heads = {name.partition(".")[0] if "." in name else "" for name in bare}
        if len(heads) > 1 or "" in heads:
            return
        bare, _ = stripped({name.partition(".")[2]: tensor for name, tensor in bare.items()})


def recognise(state: State) -> Recognised:
    """Our net for a foreign state dict.

    Args:
        state: as the file has it, see `weights`; tensors on the meta device will do.
    Raises:
        Unrecognised: no family, or one whose net is not of these shapes.
    """
    bare, unused = stripped(state)
    constants = normalisation(bare)
    faults = []
    for named in unwrapped(bare):
        for key, family in FAMILIES.items():
            try:
                match = family.read(named)
                if match is None:
                    continue
                placed, left = _placed(named, match.places)
                fault = _fault(match, placed)
            except (ArithmeticError, IndexError, LookupError, TypeError, ValueError):  # shapes that no net of the family has
                fault = "its shapes are of no such net"
            if fault is None:
                return Recognised(key, match, placed, (*left, *unused), constants)
            faults.append(f"by {family.by} it looks like {family.title}, but {fault}")
    names = ", ".join(list(bare)[:4])
    raise Unrecognised(
        "; ".join(faults)
        or f"its tensors ({names}{', ...' * (len(bare) > 4)}) are of no family known here ({', '.join(FAMILIES)})"
    )


def normalisation(bare: dict[str, Tensor]) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Take mean and std of a layer that normalises out of the tensors; None where there is none, or no values (meta)."""
    for name in bare:
        module, dot, leaf = name.rpartition(".")
        for pair in CONSTANTS:
            names = tuple(f"{module}{dot}{constant}" for constant in pair)
            if leaf == pair[0] and all(part in bare and bare[part].numel() in (1, 3) for part in names):
                mean, std = (bare.pop(part) for part in names)
                return None if mean.is_meta or std.is_meta else (tuple(mean.flatten().tolist()), tuple(std.flatten().tolist()))
    return None


def _placed(bare: State, places: Mapping[str, str]) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors by our names, and the names of those that have none."""
    placed, left = {}, []
    for name, tensor in bare.items():
        module, _, leaf = name.rpartition(".")
        if module in places:
            placed[f"{places[module]}.{leaf}"] = tensor
        else:
            left.append(name)
    return placed, left


def _fault(match: Match, placed: dict[str, Tensor]) -> str | None:
    """The first tensor that our net lacks, has too many, or has in another shape; counters of batches are made up."""
    try:
        with torch.device("meta"):
            wanted = NETS[match.net](**match.args, **_grey(placed)).state_dict()
    except (ValueError, KeyError, RuntimeError) as error:
        return str(error)
    del wanted["0.mean"], wanted["0.std"]
    theirs = {ours: theirs for theirs, ours in match.places.items()}

    def named(key: str) -> str:
        module, _, leaf = key.rpartition(".")
        return f"{theirs.get(module, module)}.{leaf}"

    for key, tensor in wanted.items():
        if key not in placed and key.endswith("num_batches_tracked"):
            placed[key] = torch.zeros((), dtype=torch.int64)
        elif key not in placed:
            return f"{named(key)} is missing"
        elif placed[key].shape != tensor.shape:
            return f"{named(key)} has shape {list(placed[key].shape)}, not {list(tensor.shape)}"
    extra = next((key for key in placed if key not in wanted), None)
    return None if extra is None else f"{named(extra)} has no place in it"


def _grey(placed: State) -> dict[str, list[float]]:
    """No normalisation, for as many channels as the first kernels have."""
    channels = placed["1.weight"].shape[1] if "1.weight" in placed and placed["1.weight"].dim() == 4 else 3
    return {"mean": [0.0] * channels, "std": [1.0] * channels}
