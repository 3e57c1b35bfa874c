"""Plan of a training: the request, checked before any work, and refused where it would replace what another run made."""

import os
from dataclasses import dataclass
from typing import Any

import torch

from ...training.precision import PRECISIONS
from ...training.recipe import Recipe
from ...training.recipes import recipe
from .. import store
from ..checks import BadInput
from ..requests import TrainRequest
from ..stored.locks import Lock, LockTaken
from . import states
from .provenance import differences, identity, identity_of
from .states import Start


@dataclass(frozen=True, slots=True)
class Plan:
    """A run that may begin.

    Attributes:
        row: of the recipe, with the changes that were asked for.
        name: of the model.
        dtype: of the passes through the net, None for the weights' own.
        identity: what tells the run from every other, the weights of an encoder that it reads among it.
    """

    request: TrainRequest
    row: Recipe
    name: str
    dtype: torch.dtype | None
    identity: dict[str, Any]

    def lock(self) -> Lock:
        """Keep everybody else from training a model of this name.

        Raises:
            BadInput: somebody does.
            Unwritable: nothing could be stored.
        """
        try:
            return Lock(states.path(self.name).with_suffix(".lock"))
        except LockTaken as error:
            who = f" (process {error.process})" if error.process not in ("", str(os.getpid())) else ""
            raise BadInput(
                "out", f"a run {self.name!r} is going on{who}; wait for it, pause it, or name yours: --out my-{self.name}"
            ) from error

    def start(self) -> Start:
        """Where the run begins: at the saved state where that is asked for and there is one.

        Raises:
            AnotherRun, BrokenCheckpoint: see `states.saved`.
            ValueError: nothing to try again from.
        """
        at, request = states.path(self.name), self.request
        if (request.resume or request.retry) and at.is_file():
            return states.saved(at, self.identity)
        if request.retry:
            raise ValueError(f"there is no saved state of {self.name!r} to try again from; train it first, without --retry")
        return states.anew(self.row.kind)


def plan(request: TrainRequest) -> Plan:
    """Check a request.

    Raises:
        KeyError, ValueError: a recipe without that scale, an unknown field, a bad value, or a model of another run stands in
            its place.
        Unwritable: the model could not be stored.
    """
    row = recipe(request.recipe, request.scale, **(request.changes or {}))
    name = store.checked(request.out or request.recipe)
    store.check_place(store.folder() / f"{name}.json")
    run = identity(request, row)
    if request.out is None:
        _refuse_to_replace(name, run)
    return Plan(request, row, name, PRECISIONS[request.precision], run | _encoder_weights(row))


def _refuse_to_replace(name: str, run: dict[str, Any]) -> None:
    """Refuse to replace, unasked, a stored model that another run made: one that ships would be gone."""
    cure = f"name yours, such as --out my-{name}, or say --out {name} to replace it"
    try:
        card = store.read_card(name)
    except KeyError:
        return
    except store.BrokenCheckpoint as error:
        raise BadInput("out", f"a model {name!r} is stored, and {error}; {cure}") from error
    if apart := differences(run, identity_of(card)):
        raise BadInput("out", f"a model {name!r} of another run is stored ({', '.join(apart)}; {card.command}); {cure}")


def _encoder_weights(row: Recipe) -> dict[str, Any]:
    if row.encoder is None:
        return {}
    try:
        return {"encoder weights": store.read_card(row.encoder).sha256}
    except (KeyError, ValueError, store.BrokenCheckpoint):  # refused with what to do where it is loaded
        return {}
