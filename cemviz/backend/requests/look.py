"""Requests to look at a model: energies around an image, two nets before a drawn digit, and what a binary net restores."""

from typing import Annotated

from ...data.datasets import DATASETS
from ...mixtures import WIDEST
from ..checks import BadInput
from ..fields import Choice, Field, Number, request
from .chains import Alpha, Steps
from .common import PICTURE, Model, Models, Seed

DIRECTIONS = {"random": "random × random (JEAT Fig. 2)", "adversarial": "adversarial × random"}
TASKS = {
    "denoise": "take noise away",
    "inpaint": "fill a hole",
    "translate": "translate",
    "interpolate": "climb from between two pictures",
}
"""Uses of a climb on a binary net (thesis 2.5.3, 2.5.4)."""

SHAPED = f"{PICTURE}, test:SET/I or gallery:SET/I of another data set, start:SEED"
"""Names of pictures that are brought into a model's shape, see `look.pictures`."""

SELF = "self"
"""Anchor of a landscape: the image in the middle."""


@request
class LandscapeRequest:
    """Look at energies around an image; the defaults are those of the precomputed windows of MNIST.

    Attributes:
        models: one to four stored models of one kind and data set.
        image: one of PICTURE.
        energy: the one a figure shows; both are computed.
        directions: random (the same plane for all models) or adversarial (each model's own ascent, and the random one).
        radius: half-width of the window, L2 in pixel units.
        side: points along an edge, odd.
        seed: of the random directions.
        anchor: of encoders, x': "self" (the image itself), or another image.
        label: of classifiers, y, by name or number; empty takes the image's own class.
    """

    models: Models
    image: Annotated[str, Field("image", PICTURE)] = "grid:7"
    energy: Annotated[str, Choice("energy", "joint or marginal", table=lambda: ("joint", "marginal"))] = "joint"
    directions: Annotated[str, Choice("directions", "of the plane", table=DIRECTIONS)] = "random"
    radius: Annotated[float, Number("radius of the window", "L2, pixel units", low=0.01, high=50)] = DATASETS["mnist"].radius
    side: Annotated[int, Number("side", "points along an edge, an odd number", low=3, high=101, whole=True)] = 41
    seed: Seed = 0
    anchor: Annotated[str, Field("anchor x′", "of encoders: what x is paired with")] = SELF
    label: Annotated[str, Field("class", "of classifiers (default: the image's own)", "y")] = ""

    def __post_init__(self) -> None:
        if self.side % 2 == 0:
            raise BadInput("side", f"side is {self.side}; give an odd number from 3 to 101, so that the image lies on the grid")


@request
class DigitRequest:
    """Show a picture to two nets.

    Attributes:
        image: of nets of digits "drawn:" and the bytes of 28 x 28 pixels in base64, 4 bits a pixel; of others one of PICTURE.
        models: two stored classifiers of one data set.
        asked: the class that it is to become; empty takes what the second net sees.
    """

    image: Annotated[str, Field("picture", "drawn:BASE64")]
    models: Models
    asked: Annotated[str, Field("turn it into", "a class, or nothing for what it is")] = ""
    seed: Seed = 0

    def __post_init__(self) -> None:
        if len(self.models) != 2:
            raise BadInput("models", f"models are {', '.join(self.models) or 'none'}; give two")


@request
class AttributionRequest:
    """See which pixels of a picture speak for a class, to each of several nets.

    Attributes:
        models: stored classifiers of one data set.
        image: one of PICTURE.
        label: the class, by name; empty takes the picture's own.
        steps: points of the path from black.
    """

    models: Models
    image: Annotated[str, Field("image", PICTURE)] = "gallery:0"
    label: Annotated[str, Field("class", "whose logit is explained (default: the picture's own)", "y")] = ""
    steps: Annotated[int, Number("steps", "of the path from black", low=2, high=200, whole=True)] = 32


@request
class RestoreRequest:
    """Climb a binary net from a picture that was damaged, or is of another kind.

    Attributes:
        image: one of SHAPED.
        steps, step: K, alpha; None takes what suits the task, see `look.restore`.
        sigma: of the noise that denoise takes away.
        mask: of inpaint, see `look.holes`.
        hold: of inpaint: known pixels are held, our second variant; the thesis climbs freely.
        blur: of translate and interpolate: the starts are blurred (Fig. 2.9).
        other: of interpolate, the picture at the other end.
    """

    model: Model
    task: Annotated[str, Choice("task", ", ".join(TASKS), table=TASKS)] = "denoise"
    image: Annotated[str, Field("image", SHAPED)] = "gallery:0"
    steps: Steps = None
    step: Alpha = None
    sigma: Annotated[float, Number("noise", "of denoise, standard deviation per pixel", "σ", high=2)] = 0.3
    mask: Annotated[str, Field("hole", "of inpaint: top,left,height,width or painted cells (default: in the middle)")] = ""
    hold: Annotated[bool, Field("hold known pixels", "of inpaint (default: all pixels climb freely, as in the thesis)")] = False
    blur: Annotated[float, Number("blur", "of translate and interpolate, pixels", high=WIDEST)] = 0.0
    other: Annotated[str, Field("other image", "of interpolate, where the line ends")] = ""
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.hold and self.task != "inpaint":
            raise BadInput("hold", f"known pixels are held by inpaint; the task is {self.task}: leave hold out")
        if self.blur and self.task not in ("translate", "interpolate"):
            raise BadInput("blur", f"blur is of translate and interpolate; the task is {self.task}: leave it out")
        if bool(self.other) != (self.task == "interpolate"):
            advice = "give other, the image at its end" if not self.other else "leave other out"
            raise BadInput("other", f"interpolate climbs from between two images; the task is {self.task}: {advice}")
