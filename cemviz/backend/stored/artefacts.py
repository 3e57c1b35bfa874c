"""Artefacts: numbers that rest on models, with the hash of each, so that what a model trained anew made stale is known.

An artefact is tensors and their JSON head, one whole pair at every moment, or the JSON alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from . import files
from .cards import Card, checked, folder
from .files import BrokenCheckpoint

SUFFIXES = {"history": ".json.gz", "sweeps": ".json.gz"}
"""Endings of the JSON, of kinds whose numbers take far less room when they are compressed."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """Numbers, and what they rest on.

    Attributes:
        head: what the JSON says: the request, what describes the tensors, and the hash of every model: {models: {name: hash}},
            or {model: name, sha256: hash} where there is one.
        tensors: by name; none where the JSON holds all.
    """

    head: dict[str, Any]
    tensors: dict[str, Tensor] = field(default_factory=dict)

    @property
    def models(self) -> dict[str, str]:
        """SHA-256 of the weights that the numbers rest on, by name of the model."""
        single = {self.head["model"]: self.head["sha256"]} if {"model", "sha256"} <= self.head.keys() else {}
        return self.head.get("models", single)

    def stale(self, cards: dict[str, Card], request: dict[str, Any] | None = None) -> list[str]:
        """Changes since it was made: models that were trained anew (the numbers of one that is not stored stay), the request.

        Args:
            request: as JSON has it, of who would make the numbers now; None where they rest on models alone.
        """
        changed = [name for name, sha256 in self.models.items() if name in cards and cards[name].sha256 != sha256]
        return changed + ["request"] * (request is not None and request != self.head.get("request"))


def path(kind: str, name: str) -> Path:
    """Where the JSON of an artefact lies: KIND/NAME.json, or .json.gz, among the models."""
    return folder() / kind / f"{checked(name)}{SUFFIXES.get(kind, '.json')}"


def write(kind: str, name: str, artefact: Artefact, indent: int | None = 2) -> Path:
    """Write an artefact; until its JSON is written the old one is whole.

    Returns:
        path of the tensors, or of the JSON where there are none.
    Raises:
        Unwritable
    """
    described = path(kind, name)
    if artefact.tensors:
        head = artefact.head
        return files.write_pair(described, artefact.tensors, lambda sha256: head | {"tensors": sha256}, indent, squeeze=True)
    files.write_json(described, artefact.head, indent)
    return described


def times(kinds: Iterable[str]) -> list[int]:
    """When each kind last had an artefact written, in nanoseconds; 0 where there is none.  Each is moved into its folder."""
    folders = [folder() / kind for kind in kinds]
    return [place.stat().st_mtime_ns if place.is_dir() else 0 for place in folders]


def read(kind: str, name: str, again: str) -> Artefact | None:
    """An artefact, or None where there is none.

    Args:
        again: how to make it anew, for errors: "run: COMMAND".
    Raises:
        BrokenCheckpoint: it cannot be read, or its two files do not match.
    """
    described = path(kind, name)
    return _unchanged(described, kind, name, again, *files.version(described))


@lru_cache(maxsize=64)
def _unchanged(described: Path, kind: str, name: str, again: str, *version: int) -> Artefact | None:
    """An artefact, read once for each version of its JSON, which names its tensors: who reads it changes nothing in it."""
    try:
        head = files.read_json(described)
    except FileNotFoundError:
        return None
    except BrokenCheckpoint as fault:
        raise BrokenCheckpoint(f"{kind}/{described.name} cannot be read ({fault}); restore it, or {again}") from fault
    if "tensors" not in head:
        return Artefact(head)
    sha256 = head.pop("tensors")
    try:
        return Artefact(head, files.read_tensors(files.tensors_path(described, str(sha256)), sha256))
    except BrokenCheckpoint as fault:
        if described.is_file() and files.read_json(described).get("tensors") != sha256:  # made anew between two readings
            return read(kind, name, again)
        raise BrokenCheckpoint(f"{kind}/{fault}; restore it, or {again}") from fault
