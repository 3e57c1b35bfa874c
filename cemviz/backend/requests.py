"""Requests: one for each use-case, every field with its symbol, range and help."""

from typing import Annotated, Any

from ..attacks import ATTACKS
from ..data.datasets import DATASETS
from ..data.toys import P0S, TOYS
from ..samplers import SAMPLERS
from ..starts import STARTS
from ..training.binary import Rules
from ..training.precision import PRECISIONS
from ..training.recipes import RECIPES
from .checks import MAX_CHAINS, MAX_SEED, MAX_STEPS, BadInput, choice
from .fields import Choice, Field, Number, fields_of, request

FEATURES = {"projection": "of the projection head", "trunk": "of the trunk"}
"""Choices of an encoder's features g(x); CEM does not say which."""

NORMS = {"l2": "L2", "linf": "L∞"}
DIRECTIONS = {"random": "random × random (JEAT Fig. 2)", "adversarial": "adversarial × random"}
PICTURE = "grid:I, test:I, gallery:I, drawn:... or upload:..."
"""Names of pictures, see `look.pictures`."""

SELF = "self"
"""Anchor of a landscape: the image in the middle."""

SCALES = ("evidence", "laptop", "shipped", "paper")
MODES = ("start", "resume", "retry")
MAX_UPDATES = 100_000
"""Updates of a visitor's run, at most."""

Model = Annotated[str, Field("model", "a stored model, see `list`")]
Models = Annotated[tuple[str, ...], Field("models", "stored models of one data set and kind")]
Seed = Annotated[int, Number("seed", "of every random draw", high=MAX_SEED, whole=True)]
Classes = Annotated[tuple[str | int, ...], Field("classes", "names or numbers, commas between (default: all in turn)")]
Sampler = Annotated[str, Choice("sampler", "see `list` (default: of the kind of model)", table=SAMPLERS)]
Count = Annotated[int, Number("chains", "how many (default: of the kind of model)", low=1, high=MAX_CHAINS, whole=True)]
Start = Annotated[str, Choice("start", "x₀ of the chains (default: of the kind of model)", table=STARTS)]
Alpha = Annotated[float | None, Number("step", "a step's length, pixel units", "α", high=100)]
Beta = Annotated[float | None, Number("radius", "of the ball around x₀, pixel units, or inf", "β")]
Eta = Annotated[float | None, Number("noise", "standard deviation per pixel", "η", high=10)]
Steps = Annotated[int | None, Number("steps", f"updates, 0 to {MAX_STEPS}", "K", high=MAX_STEPS, whole=True)]
Root = Annotated[str | None, Field("data", "root of local image folders (default: CEMVIZ_DATA)")]
Recipe = Annotated[str, Choice("recipe", "a recipe, see `list`", table=lambda: RECIPES)]
Norm = Annotated[str | None, Choice("norm", "l2 or linf (default: the card's)", table=NORMS)]
Radius = Annotated[float | None, Number("radius", "of the attack, pixel units (default: the card's)", "ε", 0.001, 100)]


@request
class SampleRequest:
    """Sample from a stored model; None takes what suits the kind of model, the sampler and the data.

    Attributes:
        classes: names or indices, given to the chains in turn; empty takes all of them in turn.
        step, noise, radius, steps: alpha, eta, beta, K.
        features: of an encoder, whose similarities count.
        picture: that all chains start from, where start is "picture": one of PICTURE.
    """

    model: Model
    sampler: Sampler = "rcs"
    classes: Classes = ()
    count: Count = 16
    start: Start = "class-gaussian"
    step: Alpha = None
    noise: Eta = None
    radius: Beta = None
    steps: Steps = None
    seed: Seed = 0
    features: Annotated[str, Choice("features", "of an encoder: projection or trunk", table=FEATURES)] = "projection"
    picture: Annotated[str, Field("picture", f"of start picture: {PICTURE}")] = ""


NUMBERS = ("step", "radius", "noise", "steps")
"""Fields of a `SampleRequest` that a sweep goes over: alpha, beta, eta, K."""

MOST_VALUES = 20
"""Values along an axis of a sweep, at most."""


@request
class SweepRequest:
    """Sweep one or two numbers of a sampler; None takes what suits the kind of model, the sampler and the data.

    Attributes:
        over: one or two of NUMBERS.
        values: of each axis; empty takes multiples of the sampler's own number, see `sample.sweep`.
        metric: columns of a sweep, the one that stands for a setting first; empty takes all that so many chains have.
        judge: who sees the samples, a stored model; None takes the data set's.
        seeds: number of seeds, from `seed` on: the same chains under every setting.
        step, noise, radius, steps: of what is not swept: alpha, eta, beta, K.
    """

    model: Model
    over: Annotated[tuple[str, ...], Field("over", f"one or two of {', '.join(NUMBERS)}")] = ("noise", "steps")
    sampler: Sampler = "rcs"
    values: Annotated[
        tuple[tuple[float, ...], ...], Field("values", "as 0,.01,.02 or 0,.01;10,20 (default: multiples of the sampler's)")
    ] = ()
    metric: Annotated[tuple[str, ...], Field("metric", "columns, see `list` (default: all there are)")] = ()
    judge: Annotated[str | None, Field("judge", "who sees the samples (default: the data set's)")] = None
    seeds: Annotated[int, Number("seeds", "how many", low=1, high=20, whole=True)] = 3
    classes: Classes = ()
    count: Count = 16
    start: Start = "class-gaussian"
    step: Alpha = None
    noise: Eta = None
    radius: Beta = None
    steps: Steps = None
    seed: Seed = 0

    def __post_init__(self) -> None:
        for name in self.over:
            choice("over", name, NUMBERS)
        if not 1 <= len(set(self.over)) == len(self.over) <= 2:
            raise BadInput("over", f"over is {', '.join(self.over) or 'empty'}; give one or two of {', '.join(NUMBERS)}")
        for name in self.over:
            if getattr(self, name) is not None:
                raise BadInput(name, f"{name} is swept; leave it out, or give it among the values")
        for name in self.metric:
            choice("metric", name, _columns())
        if self.values and len(self.values) != len(self.over):
            few = f"values has {len(self.values)} lists, and {len(self.over)} numbers are swept"
            raise BadInput("values", f"{few}; give one list each, with semicolons between")
        for name, values in zip(self.over, self.values, strict=False):
            if not 1 <= len(set(values)) == len(values) <= MOST_VALUES:
                raise BadInput("values", f"{name} has {len(values)} values; give 1 to {MOST_VALUES}, each once")
            for value in values:
                fields_of(SampleRequest)[name].check(name, value)


@request
class EvaluateRequest:
    """Measure a stored model on test images, or its samples.

    Attributes:
        radius, steps: of the attack (ε, K), or of the chains (β, K) where samples are measured.
        count: test images, from the start of the split, and samples; None takes what the metric says.
        sampler, start: of metrics of samples.
        extractor: inception or judge-NAME; None takes Inception where its weights are here, else the data set's judge.
    """

    model: Model
    metric: Annotated[str, Choice("metric", "see `list`", table=lambda: _metrics())] = "accuracy"
    attack: Annotated[str, Choice("attack", "an untargeted attack, see `list`", table=lambda: _untargeted())] = "apgd"
    norm: Norm = None
    radius: Annotated[float | None, Number("radius", "or β of samples, pixel units (default: the card's)", "ε")] = None
    steps: Annotated[
        int | None, Number("steps", "(default: the attack's, or the sampler's)", "K", low=0, high=10_000, whole=True)
    ] = None
    count: Annotated[
        int | None, Number("count", "test images (default: 1000, or 200 if slow)", low=1, high=1_000_000, whole=True)
    ] = None
    seed: Seed = 0
    sampler: Annotated[str | None, Choice("sampler", "of samples (default: of the kind of model)", table=SAMPLERS)] = None
    start: Annotated[str, Choice("start", "of samples", table=STARTS)] = "class-gaussian"
    extractor: Annotated[str | None, Field("extractor", "of samples: inception or judge-NAME")] = None


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
    """Show a drawn digit to two nets.

    Attributes:
        picture: "drawn:" and the bytes of 28 x 28 pixels in base64, 4 bits a pixel.
        models: two stored classifiers of MNIST's size.
        asked: the class that it is to become; empty takes what the second net sees.
    """

    picture: Annotated[str, Field("picture", "drawn:BASE64")]
    models: Models
    asked: Annotated[str, Field("turn it into", "a class, or nothing for what it is")] = ""
    seed: Seed = 0

    def __post_init__(self) -> None:
        if len(self.models) != 2:
            raise BadInput("models", f"models are {', '.join(self.models) or 'none'}; give two")


@request
class RobustnessRequest:
    """Measure accuracy under attacks; None takes each card's own.

    Attributes:
        models: stored classifiers of one data set.
        attacks: accuracy without an attack always comes along.
        norm, radius: one threat model for all.
        count: test images, from the start of the split.
        seed: of the random starts.
        curve: measure the curve over the radius as well.
    """

    models: Models
    attacks: Annotated[tuple[str, ...], Field("attacks")] = ("none", "fgsm", "pgd", "apgd", "energy")
    norm: Norm = None
    radius: Radius = None
    count: Annotated[int, Number("test images", "from the start of the split", low=10, high=2000, whole=True)] = 200
    seed: Seed = 0
    curve: Annotated[bool, Field("curve over ε")] = True


SOURCES = {"gallery": "drawn by a model (shipped)", "test": "test images", "picture": "one picture"}


@request
class AttackedRequest:
    """Look at images before and after every attack.

    Attributes:
        model: a stored classifier.
        label: a class by name; None takes the classes in turn.
        first: of each class, counted from 0.
        count: images.
        norm, radius: None takes the card's threat model.
        seed: of the random starts.
        picture: the one that is attacked, where the source is "picture": one of PICTURE.
    """

    model: Model
    source: Annotated[str, Choice("images", "where they come from", table=SOURCES)] = "gallery"
    label: Annotated[str | None, Field("class", "(default: all in turn)")] = None
    first: Annotated[int, Number("first", "of each class", high=100_000, whole=True)] = 0
    count: Annotated[int, Number("images", "how many", low=1, high=12, whole=True)] = 6
    norm: Norm = None
    radius: Radius = None
    seed: Seed = 0
    picture: Annotated[str, Field("picture", f"of source picture: {PICTURE}")] = ""


@request
class PlayRequest:
    """Play a game without a page; None takes the preset's.

    Attributes:
        seconds: stop after so many seconds of moves.
        steps: stop after so many turns.
    """

    preset: Annotated[str, Choice("preset", "see `list`", table=lambda: _presets())] = "maximin"
    seconds: Annotated[float | None, Number("seconds", "stop after so many seconds of moves", high=86_400)] = None
    steps: Annotated[
        int | None, Number("steps", "stop after so many turns (default: the preset's)", low=1, high=1_000_000, whole=True)
    ] = None
    seed: Seed = 0


ALGORITHMS = {"maximin": "Algorithm 1: maximin", "minimax": "Algorithm 2: minimax"}
OBJECTIVES = {"logistic": "log-likelihood of D (2.11)", "likelihood": "EBM objective (2.2)"}
NEGATIVES = {"attack": "attack (2.8)", "langevin": "Langevin dynamics (2.3)"}
OURS = Rules()


@request
class RulesRequest:
    """Set the rules of a game: the values are those of `training.binary.Rules`, which tells what each of them does."""

    rule: Annotated[str, Choice("who moves first", table=ALGORITHMS)] = OURS.rule
    data: Annotated[str, Choice("p_data", table=TOYS)] = OURS.data
    p0: Annotated[str, Choice("p₀", table=P0S)] = OURS.p0
    steps: Annotated[int, Number("steps of an attack", "Algorithm 2 takes one", "K", 1, 60, whole=True)] = OURS.steps
    step: Annotated[float, Number("length of a step", "the box is 6 wide", "λ", high=0.6)] = OURS.step
    shrink: Annotated[float, Number("shrink", "λ's factor per attack of Algorithm 2", low=0.5, high=1)] = OURS.shrink
    inner: Annotated[int, Number("inner: updates of D per turn", "Algorithm 1 makes one", low=1, high=300, whole=True)] = (
        OURS.inner
    )
    count: Annotated[int, Number("points", "of either kind", "m", 8, 2000, whole=True)] = OURS.count
    lr: Annotated[float, Number("learning rate of D", "Adam", low=2e-4, high=0.02)] = OURS.lr
    width: Annotated[int, Number("width", "of each hidden layer", low=4, high=256, whole=True)] = OURS.width
    gain: Annotated[float, Number("gain", "factor of D's initial weights", low=0.1, high=5)] = OURS.gain
    objective: Annotated[str, Choice("what D raises", table=OBJECTIVES)] = OURS.objective
    negatives: Annotated[str, Choice("how p₀'s points move", table=NEGATIVES)] = OURS.negatives


@request
class TrainRequest:
    """Train a recipe.

    Attributes:
        recipe, scale: a row of RECIPES.
        out: name of the model; None takes the recipe's.
        seed: of weights, order, augmentation and attack.
        changes: fields of the row to replace.
        data: root of local image folders.
        resume: go on from the saved state, if there is one.
        retry: go on from the last good state of a run that diverged, with half the learning rate and the next seed's draws.
        precision: key of PRECISIONS, of the passes through the net.
        download: fetch the images of a known set where they are not here.
    """

    recipe: Recipe
    scale: Annotated[str, Choice("scale", "evidence, laptop, shipped or paper", table=lambda: SCALES)] = "laptop"
    out: Annotated[str | None, Field("out", "name of the model (default: the recipe's)")] = None
    seed: Seed = 0
    changes: dict[str, Any] | None = None
    data: Root = None
    resume: Annotated[bool, Field("resume", "go on from the saved state, if there is one")] = False
    retry: Annotated[
        bool, Field("retry", "after a divergence: go on from the last good state with half the lr and draws of its own")
    ] = False
    precision: Annotated[
        str, Choice("precision", f"{' or '.join(PRECISIONS)}, of the passes through the net", table=PRECISIONS)
    ] = "fp32"
    download: Annotated[bool, Field("download", "fetch the images of a known data set where they are not here")] = True


@request
class RunRequest:
    """Train on the page.

    Attributes:
        recipe, scale: a row of RECIPES.
        steps: number of updates; None takes the row's.
        name: of the model.
        download: fetch the data set if it is not here.
        mode: begin anew, go on from the saved state, or go on from the last good one with half the learning rate.
    """

    recipe: Recipe
    scale: Annotated[str, Choice("scale", table=lambda: SCALES)] = "evidence"
    seed: Seed = 0
    name: Annotated[str, Field("name of the model")] = ""
    steps: Annotated[int | None, Number("steps", "updates (default: the recipe's)", "", 1, MAX_UPDATES, whole=True)] = None
    download: Annotated[bool, Field("download the images")] = False
    mode: Annotated[str, Choice("mode", table=lambda: MODES)] = "start"


@request
class ReproduceRequest:
    """Make a table of the papers.

    Attributes:
        target: key of EXPERIMENTS.
        seeds: number of seeds, 0 first; of a stored model, those of its draws and attacks.
        scale: of the models trained for it.
        shipped: take the stored models instead of training any.
        data: root of local image folders.
        present: train the first seed only; of the others take those whose models are there.
        keep: train nothing: measure what rests on stored models, and keep the other rows of the table that is there.
    """

    target: Annotated[str, Choice("target", "a table or figure of the papers, see `list`", table=lambda: _experiments())]
    seeds: Annotated[int, Number("seeds", "how many", low=1, high=20, whole=True)] = 3
    scale: Annotated[str, Choice("scale", "of the models trained for it", table=lambda: SCALES)] = "evidence"
    shipped: Annotated[bool, Field("shipped", "measure the stored models instead of training any")] = False
    data: Root = None
    present: Annotated[bool, Field("present", "train the first seed only, take more where they are")] = False
    keep: Annotated[bool, Field("keep", "train nothing: measure what rests on stored models, keep the rest")] = False


def _metrics() -> list[str]:
    from .evaluate import METRICS  # the rows hold functions that take these requests

    return list(METRICS)


def _columns() -> list[str]:
    from .sample.columns import COLUMNS  # its rows rest on the metrics of `evaluate`

    return list(COLUMNS)


def _untargeted() -> list[str]:
    return [name for name, row in ATTACKS.items() if not row.targeted]


def _experiments() -> list[str]:
    from .tables import EXPERIMENTS  # its cells are measured by these requests

    return list(EXPERIMENTS)


def _presets() -> list[str]:
    from .presets import PLAY  # its stories are made of these requests

    return list(PLAY)
