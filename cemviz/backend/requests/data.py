"""Request to add a data set of one's own."""

from typing import Annotated

from ..fields import Field, Number, request


@request
class AddRequest:
    """Add a folder of images.

    Attributes:
        name: of the set, as recipes and cards call it.
        folder: train/CLASS/*.png and test/CLASS/*.png, or CLASS/*.png alone.
        size: side to which all images are scaled; None takes them as they are.
        title: as menus show it; empty takes the name.
    """

    name: Annotated[str, Field("name", "of the data set: small letters, digits, - and _")]
    folder: Annotated[str, Field("folder", "train/CLASS/*.png and test/CLASS/*.png, or CLASS/*.png alone")]
    size: Annotated[int | None, Number("size", "side that images are scaled to, pixels", "", 4, 64, whole=True)] = None
    title: Annotated[str, Field("title", "as menus show it (default: the name)")] = ""
