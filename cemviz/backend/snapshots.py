"""Stored snapshots of the playground's stories: played once, then shown at once, and gone on from.

    checkpoints/play/STORY.json            a frame, the standing and the history up to each snapshot, for the browser
    checkpoints/play/STORY@*.safetensors   net, Adam's second moments and points at each, for whoever plays on

Adam's first moments are not stored: they fill again within ten updates, which no picture shows.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .device import one_core
from .frame import frame
from .play import Playground
from .presets import PLAY, PlayPreset
from .seat import Seat
from .stored import artefacts
from .stored.artefacts import Artefact
from .tour import DATA
from .use_case import Step

SHARES = (0, 0.02, 0.06, 0.15, 0.35, 0.65, 1)
"""Shares of a story's turns at which a snapshot is taken: close together where much happens."""

AGAIN = f"run: python -m cemviz assets {DATA} --only play"
RECORDS = 100
"""Entries of a story's history, about."""


def turns(preset: PlayPreset) -> list[int]:
    """Turns of a story's snapshots, the fresh net first."""
    return list(dict.fromkeys(round(share * preset.turns) for share in SHARES))


def make(data: str) -> Iterator[Step | dict[str, Any]]:
    """Play every story and write its snapshots.

    Args:
        data: the set whose assets are made; the plane needs none, and is played once, with the tour.
    Yields:
        a step a story; {path} of each file, or {skipped}.
    Raises:
        Unwritable.
    """
    if data != DATA:
        yield {"skipped": f"the playground's stories are played with the assets of {DATA}"}
        return
    for i, (name, preset) in enumerate(PLAY.items()):
        yield Step(i, len(PLAY), name)
        with one_core():
            story = played(preset)
        yield {"path": str(artefacts.write("play", name, story, indent=None))}


def played(preset: PlayPreset) -> Artefact:
    """A story, played from the fresh net to its end."""
    ground, due, every = Playground(preset.rules, preset.seed), turns(preset), max(1, preset.turns // RECORDS)
    shots, tensors = [], {}
    for turn in range(preset.turns + 1):
        if turn:
            ground.both()
        if turn in due:
            view = ground.view()
            stands = {name: round(value, 4) for name, value in asdict(view.stands).items()}
            shots.append(frame(view) | {"updates": view.updates, "standing": stands})
            tensors |= {f"{turn}/{part}": value for part, value in ground.leave().tensors().items()}
        elif turn % every == 0:
            ground.record()
    history = [[round(float(value), 4) for value in row] for row in ground.view().history]
    return Artefact({"rules": asdict(preset.rules), "seed": preset.seed, "shots": shots, "history": history}, tensors)


def stored(name: str) -> Artefact | None:
    """The snapshots of a story; None where there are none, or the story has other rules by now.  Raises BrokenCheckpoint."""
    story, preset = artefacts.read("play", name, AGAIN), PLAY[name]
    if story is None or (story.head["rules"], story.head["seed"]) != (asdict(preset.rules), preset.seed):
        return None
    return story


def file(name: str) -> Path:
    """Where a story's frames lie."""
    return artefacts.path("play", name)


def seat(story: Artefact, k: int) -> Seat:
    """Snapshot k of a story, from which a game goes on."""
    shot = story.head["shots"][k]
    parts = {key.split("/")[1]: value for key, value in story.tensors.items() if key.startswith(f"{shot['turn']}/")}
    history = [row for row in story.head["history"] if row[0] <= shot["turn"]]
    return Seat(shot["turn"], shot["updates"], history, **{name: value.float() for name, value in parts.items()})
