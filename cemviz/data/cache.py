"""Decoded pixels kept on the disk: a cache that is not of the very same files, or cannot be read, is no cache."""

import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import safe_open, save_file
from torch import Tensor

VERSION = "2"
"""Version of the decoders' output: another one makes all caches stale."""


def fingerprint(folder: Path, files: Mapping[str, Sequence[str]], shape: tuple[int, ...] | None) -> str:
    """SHA-256 of the names, sizes and times of all class folders and files, in hex.

    The time of change (ctime) sees what the time of modification does not: files that were copied with their times kept, and
    folders that swapped their names.

    Args:
        files: names of the images, by class folder below `folder`.
        shape: to which they are decoded.
    """
    digest = hashlib.sha256(f"{VERSION} {shape}".encode())
    for of_class, names in files.items():
        for name in ("", *names):
            stat = os.stat(folder / of_class / name)
            size = stat.st_size if name else 0
            times = (stat.st_mtime_ns, stat.st_ctime_ns) if name else (stat.st_ctime_ns,)
            digest.update(repr((of_class, name, size, *times)).encode())
    return digest.hexdigest()


def read(places: Iterable[Path], key: str, count: int) -> Tensor | None:
    """The pixels that were kept under this key, uint8 (count, C, H, W), or None."""
    for place in places:
        try:
            with safe_open(place, "pt") as file:
                if (file.metadata() or {}).get("key") != key:
                    continue
                pixels = file.get_tensor("pixels")
        except (OSError, SafetensorError):  # absent, half a file, somebody else's
            continue
        if pixels.dtype == torch.uint8 and pixels.dim() == 4 and len(pixels) == count:
            return pixels
    return None


def write(places: Iterable[Path], key: str, pixels: Tensor) -> bool:
    """Keep pixels at the first place that can be written, in one piece and readable by whom the umask lets; False for none."""
    for place in places:
        partial = place.with_name(f"{place.name}.{secrets.token_hex(4)}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            partial.touch()
            mode = partial.stat().st_mode & 0o777  # save_file makes files that only their owner reads
            save_file({"pixels": pixels}, partial, metadata={"key": key})
            partial.chmod(mode)
            partial.replace(place)
            return True
        except (OSError, SafetensorError):
            with suppress(OSError):
                partial.unlink()
    return False
