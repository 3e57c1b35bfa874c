"""Sweeps of small models on stripes, for the tests of sweeps, their columns and their boards."""

from dataclasses import replace

import torch
from conftest import draw_weights, write_images
from stripes import card

from cemviz.backend import store
from cemviz.backend.device import choose
from cemviz.backend.requests import SampleRequest, SweepRequest
from cemviz.backend.sample.chains import prepared
from cemviz.backend.sample.sweep import sweep
from cemviz.backend.sample.swept import Sweep
from cemviz.backend.studio import Studio
from cemviz.data import images
from cemviz.nets import build
from cemviz.starts import fit

ASK = SweepRequest("stripes-at", over=("noise", "steps"), values=((0, 0.05), (0, 3, 6)), count=6, seeds=1, step=0.3, radius=2.0)


def keep(name: str, seed: int, **changes) -> None:
    made = replace(card(name), **changes)
    store.save(draw_weights(build(made.net, seed=seed, **made.net_args), seed, 2.0), made)


def sweepable(places) -> Studio:
    """A classifier, two judges, an encoder without a probe, class Gaussians, and a validation split."""
    write_images(places / "data" / "stripes" / "validation", 50, seed=5)
    keep("stripes-at", 1), keep("stripes-judge", 3, role="judge")
    keep("stripes-judge-clean", 9, role="judge")
    args = {"width": 4, "depth": 1, "norm": "none", "projection": [4], "mean": [0.4] * 3, "std": [0.3] * 3}
    keep("stripes-uat", 2, kind="encoder", net="encoder", net_args=args)
    train = images.load("stripes", "train")
    store.save_gaussians("stripes", fit(train.floats(), train.labels, 3, rank=4))
    return Studio(choose("cpu"))


def swept(studio, request=ASK, **changes) -> Sweep:
    *_, last = sweep(studio, replace(request, **changes))
    return last


def at(found: Sweep, **settings):
    (cell,) = (c for c in found.cells if settings.items() <= c.settings.items())
    return cell


def drawn(studio, settings, request=ASK, seed=0) -> torch.Tensor:
    """The last images of separate chains of one setting."""
    asked = SampleRequest(request.model, request.sampler, count=request.count, start=request.start, seed=seed, **settings)
    return torch.cat(list(prepared(studio, asked).last()))
