"""Guesses at what no file says about a net: its data set, its normalisation, its threat model."""

import re

from ...data.datasets import DATASETS, dataset
from ..checks import BadInput
from ..studio import Studio

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

UNKNOWN = "unknown"
"""Data set of a net that none here fits."""

Scale = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation per channel."""


def shapes(studio: Studio, data: str | None, side: int | None, channels: int) -> list[tuple[int, int, int]]:
    """Shapes of an input, likeliest first.

    Raises:
        BadInput: a data set that is not known and not on this machine, or has other channels.
    """
    if data is not None:
        shape = shape_of(studio, data)
        if side is None and shape[0] != channels:
            raise BadInput("dataset", f"the net takes {channels} channels, images of {data} have {shape[0]}; name another set")
        return [shape if side is None else (channels, side, side)]
    if side is not None:
        return [(channels, side, side)]
    return [(channels, 28, 28)] if channels == 1 else [(channels, 32, 32), (channels, 224, 224)]


def shape_of(studio: Studio, name: str) -> tuple[int, int, int]:
    """The shape of a data set's images: its row's, else that of the images on this machine."""
    if shape := dataset(name).shape:
        return shape
    test = studio.test_images(name)
    if test is None:
        raise BadInput(
            "dataset", f"dataset is {name!r}; choose one of {', '.join(DATASETS)}, or a folder of images on this machine"
        )
    return tuple(test.pixels.shape[1:])


def classes_of(studio: Studio, name: str, outputs: int) -> tuple[str, ...] | None:
    """The names of a data set's classes, where there are as many as outputs; numbers where the set is not known."""
    if name == UNKNOWN:
        return tuple(map(str, range(outputs)))
    names = dataset(name).classes
    if names is None and (test := studio.test_images(name)) is not None:
        names = test.classes
    return names if names is not None and len(names) == outputs else None


def data_sets(studio: Studio, data: str | None, shape: tuple[int, int, int], outputs: int, hint: str) -> list[str]:
    """Data sets that fit shape and classes: the asked one, those that a name hints at, else all, likeliest first.

    Raises:
        BadInput: the asked one has another number of classes.
    """
    if data is not None:
        if classes_of(studio, data, outputs) is None:
            raise BadInput(
                "dataset", f"the net has {outputs} outputs, and {data} has other classes; name the set of its training"
            )
        return [data]
    fitting = known(studio, shape, outputs)
    named = [name for name in fitting if re.sub(r"\W|_", "", name) in re.sub(r"\W|_", "", hint.lower())]
    return [max(named, key=len)] if named else fitting or [UNKNOWN]


def known(studio: Studio, shape: tuple[int, int, int], outputs: int) -> list[str]:
    """The data sets with images of this shape and so many classes."""
    return [name for name, row in DATASETS.items() if row.shape == shape and classes_of(studio, name, outputs) is not None]


def scales(
    constants: Scale | None, text: str | None, usual: str, data: str, channels: int, library: Scale | None = None
) -> dict[str, Scale]:
    """Normalisations to try, by name, likeliest first; one alone where the file or a person says it.

    Args:
        constants: of the file.
        usual: name of the one that is likeliest where no library says another.
        library: that of the library which builds the net, for weights of its own.
    Raises:
        BadInput: a normalisation that is none.
    """
    candidates = {
        "file": constants,
        "none": ((0.0,) * channels, (1.0,) * channels),
        "set": (dataset(data).mean, dataset(data).std) if len(dataset(data).mean) == channels else None,
        "imagenet": IMAGENET if channels == 3 else None,
        "symmetric": ((0.5,) * channels, (0.5,) * channels),
    }
    if library is not None:
        usual = next((name for name, scale in candidates.items() if scale == library), "library")
        candidates |= {"library": library} if usual == "library" else {}
    there = {name: tuple(scale) for name, scale in candidates.items() if scale}
    if text is None:
        if constants is not None:
            return {"file": there["file"]}
        order = sorted(there, key=lambda name: (name != usual, list(candidates).index(name)))
        return {name: there[name] for name in order}
    if text in there:
        return {text: there[text]}
    return {"given": _numbers(text, channels, there)}


def _numbers(text: str, channels: int, there: dict[str, Scale]) -> Scale:
    parts = [part.split(",") for part in text.split(";")]
    try:
        mean, std = (tuple(map(float, part)) for part in parts)
        if len(mean) == len(std) == channels and min(std) > 0 and max(map(abs, (*mean, *std))) < 1000:
            return mean, std
    except ValueError:
        pass
    numbers = ",".join(["M"] * channels) + ";" + ",".join(["S"] * channels)
    raise BadInput("scale", f"scale is {text!r}; choose one of {', '.join(there)}, or give {numbers} with S above 0")


def threat(hint: str, shape: tuple[int, int, int], norm: str | None, radius: float | None) -> tuple[str, float, str]:
    """Norm and radius that a net was made robust in, and where they come from, in words.

    Args:
        hint: name of the file and the like, such as cifar_linf_8 or l2_0_5.
        norm, radius: as asked.
    """
    text = hint.lower()
    match = re.search(r"l[_-]?(2|inf)[_-]?(?:eps)?[_-]?(\d+(?:[._]\d+)?)?(?![\d])", text)
    usual_norm, usual = ("l2", 2.0) if shape[0] == 1 else ("linf", 8 / 255)
    if norm is not None and radius is not None:
        return norm, radius, "given"
    read_norm = f"l{match[1]}" if match else None
    chosen, why = norm or read_norm or usual_norm, "given" if norm else "by its name" if read_norm else "usual for such images"
    number = None
    if match and match[2] and chosen == read_norm:
        number = float(match[2].replace("_", "."))
        number = number / 255 if chosen == "linf" and number >= 1 else number
    if radius is None and number is None:
        number = usual if chosen == usual_norm else {"l2": 0.5, "linf": 0.2}[chosen]
        why = "usual for such images" if chosen == usual_norm or norm is None else "norm given, radius usual"
    return chosen, number if radius is None else radius, why
