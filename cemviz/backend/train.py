"""Train any recipe: resumable, guarded, and stored with a card that says how to make the model again."""

import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from ..attacks import threat
from ..data import images
from ..data.datasets import Dataset, dataset
from ..data.views import CONTRASTIVE
from ..nets import build
from ..nets.encoder import Encoder, probed, trunk_of
from ..training import loop
from ..training.pair_probe import PairProbe
from ..training.precision import PRECISIONS, Mixed
from ..training.probes import SHOWN, Probe
from ..training.recipe import SCHEDULES, Recipe, objective
from ..training.recipes import recipe
from . import curves, states, store
from .checks import BadInput, choice
from .device import Device
from .distributed import Team, join, separate
from .memory import OutOfMemory, full, smaller
from .provenance import TrainRequest, card_of, fingerprint

HELD, BANK = 100, 1000
"""Test images of a probe's accuracies; labelled training images among which an encoder's probe looks for neighbours."""


def train(request: TrainRequest, device: Device) -> Iterator[dict[str, Any]]:
    """Train a model and store it, and its curves beside it; of several processes (see `distributed`) the first one stores.

    Yields:
        {step, steps, terms, lr, seconds, left, probe, history} after every update; `left` is the estimated number of seconds to
        go, `probe` what `training.probes.Probe` told of this update, or None, `history` the curves so far, the same dict each
        time.  The last one also has {model, path}, in the process that stored it.
    Raises:
        KeyError, ValueError: bad request; a model of that name, which was not asked for, is of another run.
        DataMissing: the training images are not here.
        AnotherRun: the state to resume from belongs to another one.
        Diverged: the run stopped; its last good state is kept for --resume and --retry.
        OutOfMemory: the batch does not fit.
    """
    changes = request.changes or {}
    row = recipe(request.recipe, request.scale, **changes)
    name, dtype = request.out or request.recipe, PRECISIONS[choice("precision", request.precision, PRECISIONS)]
    saved = states.path(name)  # refuses a bad name before the work, not after it
    _unlike(request, name)
    known, team = dataset(row.data), join(device, row.batch)
    device = team.device
    with team.in_turn():
        where: dict[str, Any] = {"data": request.data, "device": device.torch, "download": request.download}
        held = images.load(row.data, "train", **where)
        test = _unseen(held, where)
    if row.images is not None:
        held = held.first(row.images)
    if team.leads:
        for caution in held.cautions():
            warnings.warn(caution, stacklevel=2)
    trained = None
    if row.encoder is not None:
        trained, row = _encoder(row, device)
    net_args = row.net_args | statistics(known, held)
    if row.kind == "encoder":
        _whole(team)
        del net_args["outputs"]  # of an encoder the projection head decides
    net = device.place(build(row.net, seed=request.seed, **net_args)).train()
    if trained is not None:
        probed(trained, net)
    apart = team.world > 1 and separate(net)
    if apart and team.leads:
        warnings.warn("BatchNorm's statistics are those of each process's part of the batch, not of the whole", stacklevel=2)
    if team.leads:
        store.sweep(saved), store.sweep(store.folder() / f"{name}.safetensors")
    wanted = (request.resume or request.retry) and saved.is_file()
    run_id = fingerprint(row, request)
    resume = states.reread(saved, run_id) if wanted else None
    if request.retry and resume is None:
        raise ValueError(f"there is no saved state of {name!r} to try again from; train it first, without --retry")
    done = int(resume["step"]) if resume else 0
    team.agree(done)
    retries = (int(resume["retries"]) if resume else 0) + request.retry
    tried, seed = replace(row, lr=row.lr / 2**retries), request.seed + retries
    draws, views = team.generator(seed + 1), device.generator(seed + 2)  # views are of whole batches
    generators = {"draws": draws, "views": views, "probe": device.generator(seed + 3)}
    if request.retry:  # draws of its own, instead of those that led to the divergence
        resume |= {f"generator.{k}": g.get_state() for k, g in generators.items()}
    batches = images.batches(held, row.batch, seed=seed, start=done, view=known.views, generator=views)
    goal = objective(row, tuple(held.pixels.shape[1:]), draws)
    if dtype is not None:
        goal = Mixed(goal, dtype)
    probe = _probe(row, held, test.first(HELD), goal, generators["probe"]) if team.leads else None
    run = loop.fit(
        net, goal, team.part(batches), row.steps, tried.optimizer_for(net),
        schedule=SCHEDULES[row.schedule], average=row.average, clip=row.clip, generators=generators, resume=resume,
        probe=probe, probe_every=max(1, row.steps // curves.PROBES), reduce=team.mean,
    )  # fmt: skip
    last_save, before = time.monotonic(), resume["seconds"].item() if resume else 0.0
    history = curves.begun(resume, row.kind)
    progress = None

    def keep() -> None:
        if not team.leads:
            return
        if progress is not None:
            states.keep(saved, progress, history, before, retries, run_id)
        elif resume is not None:  # diverged at once: the next retry must not draw the same again
            store.write_tensors(saved, resume | {"retries": torch.tensor(retries)})

    try:
        for progress in run:
            curves.note(history, progress)
            if progress.step < row.steps:  # the last step's state is the model: resumed from, it would have nothing left to do
                if time.monotonic() - last_save > states.SAVE_EVERY:
                    keep()
                    last_save = time.monotonic()
                yield _told(progress, done, before, history)
    except loop.Diverged:
        keep()
        raise
    except (GeneratorExit, KeyboardInterrupt):
        if progress is not None and progress.step < row.steps:
            keep()
        raise
    except RuntimeError as error:
        if not full(error):
            raise
        raise OutOfMemory(smaller(row, device.title, team.world)) from error
    if progress is None:
        raise ValueError(f"the saved run of {name!r} has done {done} of {row.steps} steps: nothing is left to train")
    if not team.leads:
        yield _told(progress, done, before, history)
        return
    notes = [f"diverged and went on {retries} times, each with half the learning rate and draws of its own"] if retries else []
    notes += held.cautions()
    if trained is not None:
        notes.append(f"reads {row.encoder} ({store.read_card(row.encoder).sha256[:12]})")
    if apart:
        notes.append(f"BatchNorm's statistics are of one process's 1/{team.world} of each batch")
    told = card_of(request, row, name, net_args, held, progress, before, team)
    path = store.save(loop.averaged(progress.state()), replace(told, notes="; ".join(notes)))
    store.write_json(curves.path(name), history | {"model": name, "sha256": store.digest(path)})
    saved.unlink(missing_ok=True)
    yield _told(progress, done, before, history) | {"model": name, "path": str(path)}


def _unlike(request: TrainRequest, name: str) -> None:
    """Refuse to replace, unasked, a stored model that another command line made: one that ships would be gone."""
    stored = store.cards().get(name)
    if (
        request.out is None
        and stored is not None
        and (stored.recipe, stored.scale, stored.seed)
        != (
            request.recipe,
            request.scale,
            request.seed,
        )
    ):
        raise BadInput(
            "out",
            f"a model {name!r} of another run is stored ({stored.command}); name yours, such as --out my-{name}, or say "
            f"--out {name} to replace it",
        )


def _unseen(held: images.Images, where: dict[str, Any]) -> images.Images:
    """The test images; where they are missing it is said before the work, not after it."""
    if dataset(held.name).torchvision and not images.available(held.name, "test", data=where["data"]):
        warnings.warn(
            f"{held.name} has no test split on this machine: probes look at training images, and nothing is measured",
            stacklevel=3,
        )
        return held
    return images.load(held.name, "test", classes=held.classes, **where)


def statistics(known: Dataset, held: images.Images) -> dict[str, Any]:
    """Arguments of a net that come from its data: channel means, deviations, number of classes."""
    if known.mean:
        mean, std = known.mean, known.std
    else:
        x = held.floats()
        mean, std = x.mean((0, 2, 3)).tolist(), x.std((0, 2, 3)).tolist()
    return {"mean": list(mean), "std": list(std), "outputs": len(held.classes)}


def _encoder(row: Recipe, device: Device) -> tuple[Encoder, Recipe]:
    """The stored encoder that a linear probe reads, and the probe's row with that encoder's trunk for its net."""
    try:
        net, card = store.load(row.encoder, device.torch)
    except KeyError as error:
        raise BadInput(
            "encoder", f"there is no encoder {row.encoder!r} to probe; train it, or name another: --set encoder=NAME"
        ) from error
    if card.kind != "encoder" or card.data != row.data:
        raise BadInput("encoder", f"encoder is {row.encoder!r}, a {card.kind} of {card.data}; give an encoder of {row.data}")
    trunk, args = trunk_of(card.net_args)
    return net, replace(row, net=trunk, net_args=args)


def _whole(team: Team) -> None:
    """Refuse to share a batch in which every view is a reference of the others."""
    if team.world > 1:
        raise BadInput(
            "recipe",
            f"{team.world} processes would see 1/{team.world} of the references each, which is another loss; "
            "contrastive recipes run in one process",
        )


def _probe(
    row: Recipe, held: images.Images, test: images.Images, goal: loop.Objective, generator: torch.Generator
) -> Probe | PairProbe:
    """The probe of a run: its own attack, or one of ten steps where training has none, on images that training does not see."""
    dyn = row.threat() if row.attack_steps else threat("pgd", row.norm, row.radius, 10)
    if row.kind == "encoder":
        bank, views = held.first(BANK), CONTRASTIVE[row.objective_args["views"]]
        return PairProbe(dyn, views, (test.floats(), test.labels), (bank.floats(), bank.labels), generator)
    starts = torch.rand(SHOWN, *held.pixels.shape[1:], generator=generator, device=generator.device)
    chains = getattr(goal, "tensors", {}).get("chains")
    return Probe(row.attack, dyn, (test.floats(), test.labels), starts, generator, chains)


def _told(progress: loop.Progress, done: int, before: float, history: dict[str, Any]) -> dict[str, Any]:
    pace = progress.seconds / (progress.step - done)
    return {
        "step": progress.step,
        "steps": progress.steps,
        "terms": progress.terms,
        "lr": progress.lr,
        "seconds": before + progress.seconds,
        "left": pace * (progress.steps - progress.step),
        "probe": progress.probe,
        "history": history,
    }


def with_metric(name: str, metric: str, value: dict[str, Any]) -> store.Card:
    """Put a measured number on a model's card."""
    card = store.read_card(name)
    card = replace(card, metrics=card.metrics | {metric: value})
    store.write_card(card)
    return card
