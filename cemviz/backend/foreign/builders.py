"""Nets built for foreign weights: by a file of Python, or by a library that knows an architecture's name."""

import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from ..checks import BadInput
from .guesses import Scale
from .reading import PROGRAM, hosted

Make = Callable[[int], nn.Module]
"""Number of classes -> net."""

PRIME = 1009
"""A number of classes by which a head is known among all tensors."""

FEWEST = 16
"""Tensors of torchvision's smallest net, AlexNet."""


def _of_timm(name: str) -> Make:
    import timm

    return lambda outputs: timm.create_model(name, pretrained=False, num_classes=outputs)


def _of_torchvision(name: str) -> Make:
    from torchvision import models

    return lambda outputs: models.get_model(name, weights=None, num_classes=outputs)


LIBRARIES: dict[str, Callable[[str], Make]] = {"timm": _of_timm, "torchvision": _of_torchvision}
"""Libraries that build a net by its name."""


def coded(code: str) -> nn.Module:
    """The net that FILE.py:FUNCTION builds."""
    if hosted():
        raise BadInput("code", "a hosted page runs no code of a visitor's; import it on your own machine and publish it")
    file, colon, name = code.rpartition(":")
    path = Path(file).expanduser()
    if not colon or path.suffix != ".py" or not path.is_file() or not name.isidentifier():
        raise BadInput("code", f"code is {code!r}; give FILE.py:FUNCTION, a file that is there and a function or class in it")
    with _beside(path.parent):
        spec = importlib.util.spec_from_file_location(f"_foreign_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
            net = getattr(module, name)()
        except Exception as error:
            raise BadInput(
                "code", f"{path.name}:{name} fails ({type(error).__name__}: {error}); it is called without arguments"
            ) from error
    if not isinstance(net, nn.Module):
        raise BadInput("code", f"{path.name}:{name} returns a {type(net).__name__}; let it return a torch.nn.Module")
    return net


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Let a file import what lies beside it."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def named(arch: str, states: Sequence[Mapping[str, Tensor]]) -> tuple[nn.Module, Scale | None, tuple[int, int, int] | None]:
    """A net of a library by its name, the normalisation it was trained with, and the shape of its images.

    Args:
        states: its weights, which tell the number of classes, with and without the names of what is around the net.
    Raises:
        BadInput: no such library here, or no such net in it.
    """
    library, colon, name = arch.partition(":")
    if not colon or library not in LIBRARIES:
        raise BadInput("arch", f"arch is {arch!r}; give timm:NAME or torchvision:NAME")
    try:
        make = LIBRARIES[library](name)
        with torch.device("meta"):
            head = next(key for key, tensor in make(PRIME).state_dict().items() if tensor.shape[:1] == (PRIME,))
        state = next((named for named in states if head in named), states[0])
        outputs = state[head].shape[0] if head in state else 1000
        with torch.device("meta"):
            wanted = _numbers(make(outputs).state_dict())
        size = _numbers(state)
        net = make(outputs) if wanted <= 2 * size else None  # a small file takes no large net's memory
    except NotImplementedError as error:  # RegNet computes its widths with tensors
        raise BadInput("arch", f"{arch} cannot be built without memory, to see whether it fits; {PROGRAM}") from error
    except ModuleNotFoundError as error:
        raise BadInput("arch", f"{error.name} is not installed here; run: pip install {error.name}") from error
    except (RuntimeError, ValueError, TypeError, StopIteration) as error:
        raise BadInput("arch", f"arch is {arch!r}: {' '.join(str(error).split())[:120] or 'it has no head'}") from error
    if net is None:
        raise BadInput("arch", f"{arch} has {wanted:,} weights, and the file holds {size:,} numbers; give the file of that net")
    if (about := getattr(net, "pretrained_cfg", None)) is None:
        return net, None, (3, 224, 224) if head in state and len(state[head]) == 1000 else None
    return net, (tuple(about["mean"]), tuple(about["std"])), tuple(about["input_size"])


def by_shapes(states: Sequence[Mapping[str, Tensor]]) -> str | None:
    """The net of torchvision that has tensors of these names and shapes, whatever its classes, as library:NAME; or None.

    The first call builds all of them without memory, which takes some ten seconds.
    """
    for shapes in map(_shapes, states):
        if len(shapes) < FEWEST:
            continue
        for name, wanted in _torchvision().items():
            if len(wanted) == len(shapes) and all(_fits(shape, shapes.get(key)) for key, shape in wanted.items()):
                return f"torchvision:{name}"
    return None


@cache
def _torchvision() -> dict[str, dict[str, tuple[int, ...]]]:
    """Names of torchvision's classifiers -> shapes of their tensors, PRIME where the classes are."""
    from torchvision import models

    nets = {}
    for name in models.list_models(module=models):
        make = _of_torchvision(name)
        try:
            with torch.device("meta"), warnings.catch_warnings(action="ignore"):
                nets[name] = _shapes(make(PRIME).state_dict())
        except NotImplementedError:  # RegNet computes its widths with tensors
            continue
    return nets


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Shapes by name; files of old have no counters of batches."""
    return {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def _fits(wanted: tuple[int, ...], shape: tuple[int, ...] | None) -> bool:
    return shape is not None and (shape[1:] == wanted[1:] if wanted[:1] == (PRIME,) else shape == wanted)


def _numbers(state: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() for tensor in state.values())
