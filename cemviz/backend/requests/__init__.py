"""Requests: one for each use-case, every field with its symbol, range and help."""

from .attack import SOURCES, AttackedRequest, RobustnessRequest
from .chains import FEATURES, MOST_VALUES, NUMBERS, ChainsRequest, SampleRequest, SweepRequest
from .common import NORMS, PICTURE
from .data import AddRequest
from .detect import DetectRequest, OutsideRequest
from .foreign import ImportRequest, PublishRequest, PullRequest
from .look import DIRECTIONS, SELF, SHAPED, TASKS, AttributionRequest, DigitRequest, LandscapeRequest, RestoreRequest
from .measure import EvaluateRequest, ReproduceRequest, SoakRequest
from .play import ALGORITHMS, NEGATIVES, OBJECTIVES, PlayRequest, RulesRequest
from .train import MAX_UPDATES, MODES, SCALES, RunRequest, TrainRequest

__all__ = [
    "ALGORITHMS",
    "DIRECTIONS",
    "FEATURES",
    "MAX_UPDATES",
    "MODES",
    "MOST_VALUES",
    "NEGATIVES",
    "NORMS",
    "NUMBERS",
    "OBJECTIVES",
    "PICTURE",
    "SCALES",
    "SELF",
    "SHAPED",
    "SOURCES",
    "TASKS",
    "AddRequest",
    "AttackedRequest",
    "AttributionRequest",
    "ChainsRequest",
    "DetectRequest",
    "DigitRequest",
    "EvaluateRequest",
    "ImportRequest",
    "LandscapeRequest",
    "OutsideRequest",
    "PlayRequest",
    "PublishRequest",
    "PullRequest",
    "ReproduceRequest",
    "RestoreRequest",
    "RobustnessRequest",
    "RulesRequest",
    "RunRequest",
    "SampleRequest",
    "SoakRequest",
    "SweepRequest",
    "TrainRequest",
]
