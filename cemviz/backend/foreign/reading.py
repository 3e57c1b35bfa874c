"""Files of other projects, read within bounds: what their headers say is looked at first, and no code in them is run.

| file                             | what is read of it                                   | on a hosted page |
|----------------------------------|------------------------------------------------------|------------------|
| .safetensors                     | tensors by name                                      | yes              |
| .pt, .pth, .bin of torch.save    | tensors in lists and dicts, with weights_only=True   | yes              |
| .pt2 of torch.export.save        | the program, see `nets.exported`                     | no               |
| TorchScript                      | the program, see `nets.exported`                     | no               |
"""

import io
import json
import os
import pickle
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ..checks import BadInput
from ..stored.files import digest, reason

LARGEST, MOST_PARTS = 4 * 2**30, 50_000
"""Bytes of a file, packed and unpacked; tensors or parts of an archive."""

LARGEST_INDEX = 64 * 2**20
"""Bytes of what describes the tensors of a file."""

ENDINGS = (".safetensors", ".pt", ".pth", ".pt2", ".bin", ".ckpt", ".tar")
"""Endings of files that hold nets; what lies in an archive of torch's is read by any name."""

AGAIN = "torch.save(net.state_dict(), 'net.pt')"

ANY_BATCH = "dynamic_shapes=({0: torch.export.Dim('batch')},)"
"""Argument of torch.export by which a program takes batches of every size."""

PROGRAM = (
    "save the net with its program and give that file, x being a batch of its images: torch.export.save("
    f"torch.export.export(net, (x,), {ANY_BATCH}), 'net.pt2')"
)
"""A way for nets that cannot be built here."""

BESIDE = (
    "argparse.Namespace", "numpy.dtype", "numpy.ndarray", "_codecs.encode",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)  # fmt: skip
"""Numbers and options that training scripts store beside tensors: they are read past, see `Unmade`."""

SYMBOL = r"Symbol\('[su]\d+'(, (positive|integer|nonnegative)=(True|False))*\)"
EXPRESSION = re.compile(rf"({SYMBOL}|[su]\d+|\d+|Max|Min|Mod|FloorDiv|CleanDiv|[ +*(),/-])*")
"""Sizes of a program, which torch hands to an evaluator: sums and products of sizes and numbers, nothing else."""


class Unmade:
    """Stands where a file names something of BESIDE: nothing of that is made, and its values are dropped."""

    def __new__(cls, *_: Any) -> "Unmade":
        """Take the arguments of what it stands for."""
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None:
        """Keep none of them."""

    def __setstate__(self, _: Any) -> None:
        """Keep no state either."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A file that was read.

    Attributes:
        form: tensors, exported (an ExportedProgram) or script (a ScriptModule).
        value: it, or what torch.save was given.
        sha256: of the file.
    """

    form: Literal["tensors", "exported", "script"]
    value: Any
    sha256: str


def hosted() -> bool:
    """Whether the page runs on a hosted space, where nothing of a visitor's is executed."""
    return "SPACE_ID" in os.environ


def largest() -> int:
    """Bytes of a file that is fetched: on a hosted page as many as its visitors may upload."""
    return 2**28 if hosted() else LARGEST


def read(path: Path) -> Contents:
    """Read a file of a net.

    Raises:
        BadInput: no such file, too large, unreadable, with code in it, or of another kind.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise _bad(path, f"cannot be read ({reason(error)}); give a .safetensors, .pt or .pth file") from error
    if size > LARGEST:
        raise _bad(path, f"has {size:,} bytes; {LARGEST:,} at most are read")
    if path.suffix == ".safetensors":
        value: Any = _safetensors(path)
    elif start.startswith(b"PK"):
        names = _archive(path, size)
        for has, load in ((_is_program, _exported), (_is_script, _script)):
            if has(names):
                if hosted():
                    raise _bad(path, f"is a program, and a hosted page runs none; give the weights: {AGAIN}")
                return Contents("exported" if load is _exported else "script", load(path), digest(path))
        value = _saved(path)
    elif path.suffix not in ENDINGS:
        raise _bad(path, f"is no file of a net; give one of {', '.join(ENDINGS)}")
    else:
        raise _bad(
            path,
            f"is no archive of torch.save (before 1.6 it wrote others); where you trust it, save it again: {_resaved(path)}",
        )
    return Contents("tensors", value, digest(path))


def _bad(path: Path, fault: str) -> BadInput:
    return BadInput("source", f"{path.name} {fault}")


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:  # looks at the header alone, whose sizes have to add up
            names = list(file.keys())
            if len(names) > MOST_PARTS:
                raise _bad(path, f"names {len(names):,} tensors; {MOST_PARTS:,} at most are read")
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, ValueError, KeyError, OSError) as error:
        if isinstance(error, BadInput):
            raise
        raise _bad(path, f"is no safetensors file, or is cut ({' '.join(str(error).split())[:120]})") from error


def _archive(path: Path, size: int) -> list[str]:
    """Names of the parts of an archive, without its outer folder, once their sizes are sane."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise _bad(path, f"is an archive that cannot be read ({error})") from error
    whole = sum(part.file_size for part in parts)
    if len(parts) > MOST_PARTS or whole > LARGEST or whole > 4 * size + 2**20:
        raise _bad(path, f"unpacks to {len(parts):,} parts with {whole:,} bytes; a file of its size ({size:,}) may not")
    index = max((part.file_size for part in parts if part.filename.endswith((".pkl", ".json"))), default=0)
    if index > LARGEST_INDEX:
        raise _bad(path, f"has a description of {index:,} bytes; {LARGEST_INDEX:,} at most are read")
    return [part.filename.partition("/")[2] for part in parts]


def _is_program(names: list[str]) -> bool:
    return "archive_format" in names


def _is_script(names: list[str]) -> bool:
    return "constants.pkl" in names and any(name.startswith("code/") for name in names)


def _saved(path: Path) -> Any:
    """Object that torch.save was given, its tensors left in the file until they are looked at."""
    try:
        with torch.serialization.safe_globals([(Unmade, name) for name in BESIDE]):
            value = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, TypeError, KeyError, EOFError, AttributeError) as error:
        raise _bad(path, f"{_holds(error)}; where you trust it, save its weights alone: {_resaved(path)}") from error
    for tensor in _tensors(path, value):
        size = 0 if tensor.is_meta or tensor.is_sparse else tensor.untyped_storage().nbytes()
        if tensor.numel() * tensor.element_size() > size:
            raise _bad(path, f"names a tensor of shape {list(tensor.shape)} and holds {size:,} bytes of it")
    return value


def _resaved(path: Path) -> str:
    """A line of Python that writes the weights of a file anew, of a whole net, a training script's or as they are.

    Who has the file has no net to save.
    """
    inside = "d.state_dict() if hasattr(d, 'state_dict') else d.get('state_dict', d.get('model', d))"
    return f"import torch; d = torch.load({path.name!r}, weights_only=False); torch.save({inside}, 'new.pt')"


def _tensors(path: Path, value: Any) -> list[Tensor]:
    """The tensors in lists and dicts, of which a part may hold itself, or the same one many times over."""
    tensors, rest, seen = [], [value], {id(value)}
    while rest:
        part = rest.pop()
        if isinstance(part, Tensor):
            tensors.append(part)
        inside = part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else ()
        new = {id(each): each for each in inside if id(each) not in seen}
        seen |= new.keys()
        rest += new.values()
        if len(seen) > MOST_PARTS:
            raise _bad(path, f"names more than {MOST_PARTS:,} tensors or values")
    return tensors


def _holds(error: Exception) -> str:
    match = re.search(r"GLOBAL (\S+)", str(error))
    return f"holds more than tensors ({match[1]}), which may be code" if match else "holds more than tensors, or is cut"


def _exported(path: Path) -> torch.export.ExportedProgram:
    """The program of torch.export; what in it torch would unpickle or evaluate is looked at first."""
    with zipfile.ZipFile(path) as archive:
        for part in archive.namelist():
            name = part.partition("/")[2]
            if name.startswith("data/aotinductor"):
                raise _bad(path, "holds a compiled library, which is not run here; save it by torch.export.save")
            if name.endswith(".json"):
                _look_through(path, json.loads(archive.read(part)))
            elif name.startswith(("data/sample_inputs/", "data/constants/")) and name.endswith(".pt"):
                _harmless(path, archive.read(part))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.export.load(path)
        except Exception as error:  # whatever torch makes of a program of another version
            line = " ".join(str(error).split())[:120]
            raise _bad(path, f"cannot be read by torch {torch.__version__} ({line}); export it by this version") from error


def _look_through(path: Path, value: Any) -> None:
    rest = [value]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            if part.get("use_pickle"):
                raise _bad(path, f"holds pickled tensors, which may be code; where you trust it, save {AGAIN}")
            expression = part.get("expr_str", "")
            if not isinstance(expression, str) or not EXPRESSION.fullmatch(expression):
                raise _bad(path, f"holds the expression {expression!r}, which is no size")
            rest += part.values()
        elif isinstance(part, list):
            rest += part


def _harmless(path: Path, content: bytes) -> None:
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise _bad(path, f"{_holds(error)}; where you trust it, save {AGAIN}") from error


def _script(path: Path) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.jit.load(path, map_location="cpu")
        except (RuntimeError, ValueError) as error:
            raise _bad(path, f"is TorchScript that cannot be read ({' '.join(str(error).split())[:120]})") from error
