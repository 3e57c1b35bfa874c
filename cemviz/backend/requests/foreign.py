"""Requests about nets from elsewhere: bring one in, and models to and from the Hub."""

from typing import Annotated

from ..fields import Choice, Field, Number, request
from .common import NORMS, Model

SCALES = ("file", "library", "none", "set", "imagenet", "symmetric")
"""Normalisations that are tried: the file's own, pixels as they are, the data set's, ImageNet's, and [-1, 1]."""

Side = Annotated[int | None, Number("side", "of an image in pixels (default: the data set's)", low=4, high=1024, whole=True)]
Name = Annotated[str | None, Field("name", "name of the model here (default: its own)", option="as")]
Repo = Annotated[str, Field("repository", "hf:USER/REPO")]


@request
class ImportRequest:
    """Store a net from elsewhere as a model.

    Attributes:
        source: a file, or hf:USER/REPO[/FILE], see `foreign.reading`.
        name: of the model; None takes the file's.
        code: FILE.py:FUNCTION that builds the net, whose weights the source holds; never on a hosted page.
        arch: library:NAME, a net of timm or torchvision whose weights the source holds.
        dataset: what it was trained on; None guesses it from shape and classes.
        scale: one of SCALES, or "MEAN,..;STD,.." per channel; None takes the file's, else measures.
        norm, radius: its threat model; None guesses it from the name.
        side: of an image, where no data set says it.
        full: keep single precision.
    """

    source: Annotated[str, Field("source", "a .safetensors, .pt, .pth or .pt2 file, hf:USER/REPO or hf:USER/REPO/FILE")]
    name: Name = None
    code: Annotated[str | None, Field("code", "FILE.py:FUNCTION that builds the net; its code is run")] = None
    arch: Annotated[str | None, Field("arch", "timm:NAME or torchvision:NAME, where only the name says what it is")] = None
    dataset: Annotated[str | None, Field("dataset", "it was trained on (default: by shape and classes)")] = None
    scale: Annotated[
        str | None, Field("scale", f"normalisation: {', '.join(SCALES)} or MEAN,..;STD,.. (default: the file's, or measured)")
    ] = None
    norm: Annotated[str | None, Choice("norm", "of its threat model (default: by its name)", table=NORMS)] = None
    radius: Annotated[float | None, Number("radius", "of its threat model (default: by its name)", "ε", 0.001, 100)] = None
    side: Side = None
    full: Annotated[bool, Field("full", "keep single precision (default: half, as all models here)")] = False


@request
class PublishRequest:
    """Put a stored model on the Hub, with its card."""

    model: Model
    repo: Repo


@request
class PullRequest:
    """Fetch a model that was published from this project.

    Attributes:
        name: of the model here; None takes its own.
    """

    repo: Repo
    name: Name = None
