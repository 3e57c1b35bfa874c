"""Fields that several requests have: a model, the seed, a threat model, the root of the images."""

from typing import Annotated

from ..checks import MAX_SEED
from ..fields import Choice, Field, Number

NORMS = {"l2": "L2", "linf": "L∞"}
PICTURE = "grid:I, test:I, gallery:I, drawn:... or upload:..."
"""Names of pictures, see `look.pictures`."""

Model = Annotated[str, Field("model", "a stored model, see `list`")]
Models = Annotated[tuple[str, ...], Field("models", "stored models of one data set and kind")]
Seed = Annotated[int, Number("seed", "of every random draw", high=MAX_SEED, whole=True)]
Root = Annotated[str | None, Field("data", "root of local image folders (default: CEMVIZ_DATA)")]
Norm = Annotated[str | None, Choice("norm", "l2 or linf (default: the card's)", table=NORMS)]
Radius = Annotated[float | None, Number("radius", "of the attack, pixel units (default: the card's)", "ε", 0.001, 100)]
