"""Files that a kill cannot halve: each is written beside its place under another name, then moved there in one step.

A model or an artefact is two files, tensors and the JSON that describes them.  The tensors are named by their hash, which the
JSON holds, so that the step that replaces the JSON replaces both: before it the old pair is whole, after it the new one.
Files get the permissions that the umask gives.  Nothing is ever pickled.
"""

import gzip
import hashlib
import json
import lzma
import os
import re
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

LARGEST, DEEPEST = 64 * 2**20, 32
"""Bytes and levels of nesting of a JSON file, at most."""

SETTLED = 10**9
"""Nanoseconds after which a file's time tells a change: file systems count it in ticks, and two writes may fall into one."""

_writes = count()


class BrokenCheckpoint(RuntimeError):
    """A file that cannot be read, or does not belong to the file beside it; the message says what to do."""


class Unwritable(OSError):
    """A file that cannot be written: the message names it and why.  What stood in its place is still there."""


def reason(error: OSError) -> str:
    """Words of the operating system, without number and path: "permission denied"."""
    return (error.strerror or str(error)).lower()


def write(path: Path, content: bytes) -> None:
    """Write a file in one piece: a reader finds the old one or the new one, never half of one.

    Raises:
        Unwritable: no space left, a folder that may not be written, and the like.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}-{next(_writes)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # on the disk before the name points at it
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise Unwritable(f"{path} cannot be written ({reason(error)}); nothing was replaced") from error


def check_place(path: Path) -> None:
    """Refuse a place that no file can be written to, before the work whose result is to lie there.

    Raises:
        Unwritable: a folder stands there, or what it would lie in is no folder, or one that may not be written.
    """
    above = next(folder for folder in path.absolute().parents if os.path.exists(folder))  # what may not be seen is absent
    if os.path.isdir(path):
        fault = "a folder stands there"
    elif not above.is_dir():
        fault = f"{above} is no folder"
    elif not os.access(above, os.W_OK | os.X_OK):
        fault = f"the folder {above} may not be written"
    else:
        return
    raise Unwritable(f"{path} cannot be written ({fault}); name another place")


def write_json(path: Path, value: dict[str, Any], indent: int | None = None) -> None:
    """Write a JSON file in one piece, compressed where its name ends in .gz.  Raises Unwritable."""
    text = (json.dumps(value, indent=indent, ensure_ascii=False) + "\n").encode()
    write(path, gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)  # without a time: equal values, equal bytes


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a flat dict of tensors in one piece.  Raises Unwritable."""
    write(path, packed(tensors))


def packed(tensors: dict[str, Tensor], *, squeeze: bool = False) -> bytes:
    """Bytes of a safetensors file with these tensors; the same tensors give the same bytes.

    Args:
        squeeze: compress them (xz): grids of energies take four tenths of the room, weights gain nothing.
    """
    content = safetensors.torch.save({k: v.detach().cpu().contiguous() for k, v in tensors.items()})
    return lzma.compress(content) if squeeze else content


def _unsqueezed(content: bytes) -> bytes:
    """A file's bytes before `packed` compressed them, if it did.  ValueError where they cannot be read."""
    if not content.startswith(b"\xfd7zXZ"):
        return content
    unpacker = lzma.LZMADecompressor()
    try:
        plain = unpacker.decompress(content, LARGEST + 1)
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from error
    if len(plain) > LARGEST or not unpacker.eof:
        raise ValueError(f"it is cut off, or larger than {LARGEST:,} bytes unpacked")
    return plain


def version(path: Path) -> tuple[int, ...]:
    """Marks of a file's version: where it lies, its size and times, and the moment while those are no proof."""
    try:
        status = path.stat()
    except OSError:  # the reading says why
        return (time.time_ns(),)
    new = time.time_ns() - status.st_mtime_ns < SETTLED
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, *([time.time_ns()] if new else []))


def read_json(path: Path, largest: int = LARGEST) -> dict[str, Any]:
    """Read a JSON object whose size and nesting are sane.

    Raises:
        FileNotFoundError: there is none.
        BrokenCheckpoint: it cannot be read; the message is the fault alone, such as "permission denied".
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            text = file.read(largest + 1)
        if len(text) > largest:
            raise BrokenCheckpoint(f"it is larger than {largest:,} bytes")
        value = json.loads(text.decode("utf-8"))
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair would fail where it is shown
    except FileNotFoundError as error:
        if path.is_symlink():
            raise BrokenCheckpoint(f"it is a link to {os.readlink(path)}, which is not there") from error
        raise
    except (EOFError, zlib.error) as error:  # of a compressed file
        raise BrokenCheckpoint(str(error)) from error
    except OSError as error:
        raise BrokenCheckpoint(reason(error)) from error
    except RecursionError as error:
        raise BrokenCheckpoint(f"it is nested more than {DEEPEST} levels deep") from error
    except ValueError as error:
        raise BrokenCheckpoint(str(error)) from error
    if not isinstance(value, dict):
        raise BrokenCheckpoint(f"it holds a {type(value).__name__}, not an object")
    if _depth(value) > DEEPEST:
        raise BrokenCheckpoint(f"it is nested more than {DEEPEST} levels deep")
    return value


def _depth(value: Any) -> int:
    """Levels of nesting, without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        nested = (v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list))
        level = [v for values in nested for v in values]
    return depth


def read_tensors(path: Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Read a flat dict of tensors.

    Args:
        sha256: of the file, where it is known.
    Raises:
        BrokenCheckpoint: the file is missing, may not be read, is changed, truncated, or no safetensors file.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise BrokenCheckpoint(f"{path.name} is missing beside its card") from error
    except OSError as error:
        raise BrokenCheckpoint(f"{path.name} cannot be read ({reason(error)})") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise BrokenCheckpoint(f"{path.name} does not match its card (changed or truncated)")
    try:
        return safetensors.torch.load(_unsqueezed(content))
    except (SafetensorError, ValueError, KeyError) as error:
        raise BrokenCheckpoint(f"{path.name} cannot be read ({error})") from error


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# a pair: NAME.json and its tensors ----------------------------------------------------------------------------------------


def tensors_path(described: Path, sha256: str) -> Path:
    """The tensors of the pair that a JSON file describes: NAME@HASH12.safetensors, or NAME.safetensors as what ships."""
    named = described.with_name(f"{described.stem}@{sha256[:12]}.safetensors")
    return named if named.is_file() else described.with_suffix(".safetensors")


def write_pair(
    described: Path,
    tensors: dict[str, Tensor],
    describe: Callable[[str], dict[str, Any]],
    indent: int | None = 2,
    *,
    squeeze: bool = False,
) -> Path:
    """Write tensors, then the JSON that describes them, then remove the tensors of the pair that stood there.

    Args:
        described: NAME.json.
        describe: SHA-256 of the tensors' file -> what the JSON holds; the hash is part of it.
        squeeze: see `packed`.
    Returns:
        path of the tensors.
    Raises:
        Unwritable: the old pair is still whole.
    """
    content = packed(tensors, squeeze=squeeze)
    sha256 = hashlib.sha256(content).hexdigest()
    path = described.with_name(f"{described.stem}@{sha256[:12]}.safetensors")
    write(path, content)
    write_json(described, describe(sha256), indent)
    _remove([old for old in _tensors_of(described) if old != path])
    return path


def sweep(described: Path) -> None:
    """Remove what writers of a pair left half written when they were killed; for who is alone in writing it."""
    ours = re.compile(rf"{re.escape(described.stem)}(@[0-9a-f]{{12}})?(\.json|\.safetensors)?\.\d+(-\d+)?\.part")
    with suppress(OSError):
        _remove([path for path in described.parent.iterdir() if ours.fullmatch(path.name)])


def sweep_pair(described: Path, sha256: str | None) -> None:
    """Remove what killed writers of a pair left behind, tensors that no JSON names among it.

    Args:
        described: NAME.json.
        sha256: the hash in it, None where it cannot be read.
    """
    sweep(described)
    if sha256 is not None:
        current = tensors_path(described, sha256)
        _remove([path for path in _tensors_of(described) if path != current])
    elif not os.path.lexists(described):
        _remove([path for path in _tensors_of(described) if "@" in path.name])


def _tensors_of(described: Path) -> list[Path]:
    """Files that hold or held the tensors of a pair."""
    named = re.compile(rf"{re.escape(described.stem)}(@[0-9a-f]{{12}})?\.safetensors")
    return [path for path in described.parent.glob("*.safetensors") if named.fullmatch(path.name)]


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()
