"""Commands that look at a model: chains, sweeps, restored pictures, detectors; and the game of the plane."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..backend import store
from ..backend.attack.detect import Detected, detect
from ..backend.checks import choice
from ..backend.device import choose
from ..backend.kinds import kind_of
from ..backend.look.restore import Restored, restore, save_png
from ..backend.play import play
from ..backend.requests import DetectRequest, PlayRequest, RestoreRequest, SampleRequest, SweepRequest
from ..backend.sample import export
from ..backend.sample.chains import Chains, sample
from ..backend.sample.sweep import sweep
from ..backend.sample.swept import Sweep
from ..backend.studio import Studio
from ..data.images import root
from .options import asks
from .shared import Data, DeviceName, Json, answer, app, last, progress


def usual(arguments: dict[str, Any]) -> dict[str, Any]:
    """Sampler, start and number of chains that suit the kind of model."""
    return kind_of(store.read_card(arguments["model"])).usual


@app.command("sample")
@asks(SampleRequest, "model", usual=usual)
def sample_command(
    request: SampleRequest,
    *,
    out: Annotated[Path, typer.Option(help="Where to write: .png (last step), .gif (all steps) or .npz (all numbers).")] = Path(
        "samples.png"
    ),
    data: Data = None,
    device: DeviceName = None,
    as_json: Json = False,
) -> None:
    """Sample from a stored model and write a picture."""
    writers = {".png": export.save_png, ".gif": export.save_gif, ".npz": export.save_npz}
    write = writers[choice("out", out.suffix.lower(), writers)]
    store.check_place(out)
    chains: Chains = last(sample(Studio(choose(device), data), request))
    for name in chains.unheard:
        progress(f"cemviz: --{name} has no say with this model, sampler and start; it was left aside")
    write(chains, out)
    unknown = [None] * len(chains.labels)  # an encoder alone does not say what an image shows
    result = {
        "model": request.model,
        "sampler": request.sampler,
        "settings": chains.settings,
        "seed": request.seed,
        "out": str(out),
        "classes": [chains.card.classes[y] if chains.hinted else None for y in chains.labels],
        "predicted": unknown if chains.predicted is None else [chains.card.classes[y] for y in chains.predicted],
        "energy": chains.energy.tolist(),
        "confidence": unknown if chains.confidence is None else chains.confidence.tolist(),
        "distance": chains.series["distance"][-1].tolist(),
    }
    answer(result, as_json)


@app.command("sweep")
@asks(SweepRequest, "model", usual=usual)
def sweep_command(request: SweepRequest, *, data: Data = None, device: DeviceName = None, as_json: Json = False) -> None:
    """Sweep one or two of a sampler's numbers: the same chains under every setting, and what their ends are worth."""
    swept: Sweep = last(sweep(Studio(choose(device), data), request))
    if as_json:
        print(json.dumps(swept.table()))
        return
    print("\n".join(swept.lines()))


@app.command("restore")
@asks(RestoreRequest, "model")
def restore_command(
    request: RestoreRequest,
    *,
    out: Annotated[Path, typer.Option(help="Where to write: .png, the truth where it is known, damaged, restored.")] = Path(
        "restored.png"
    ),
    data: Data = None,
    device: DeviceName = None,
    as_json: Json = False,
) -> None:
    """Climb a binary net: take noise away, fill a hole, or move another picture into the data."""
    choice("out", out.suffix.lower(), [".png"])
    store.check_place(out)
    restored: Restored = last(restore(Studio(choose(device), data), request))
    save_png(restored, out)
    dyn, scores = restored.dynamics, {} if restored.ssim is None else dict(zip(("before", "after"), restored.ssim, strict=True))
    result = {
        "model": request.model,
        "task": request.task,
        "image": request.image,
        "steps": dyn.steps,
        "step": dyn.step,
        "D": restored.series["D"][-1].tolist(),
        "distance": restored.series["distance"][-1].tolist(),
        "out": str(out),
        **{f"ssim_{name}": value for name, value in scores.items()},
    }
    answer(result, as_json)


@app.command("detect")
@asks(DetectRequest, "model")
def detect_command(request: DetectRequest, *, data: Data = None, device: DeviceName = None, as_json: Json = False) -> None:
    """Ask the detectors of a net a class whether a picture is of the class it is taken for, as it is and attacked."""
    detected: Detected = last(detect(Studio(choose(device), data), request))
    answer(detected.facts, as_json, detected.lines())


@app.command("play")
@asks(PlayRequest, "preset")
def play_command(request: PlayRequest, *, as_json: Json = False) -> None:
    """Play a 2D game of the playground without a page."""
    root()
    answer(last(play(None, request)), as_json)
