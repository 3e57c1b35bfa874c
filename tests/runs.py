"""Helpers for the tests of training: a tiny recipe on the set `stripes`, and a run of it."""

import itertools
import multiprocessing
import os
import signal

from cemviz.backend.device import choose
from cemviz.backend.requests import TrainRequest
from cemviz.backend.studio import Studio
from cemviz.backend.train.run import Model, Trained, train

TINY = {
    "data": "stripes", "net_args": "width:4", "steps": "12", "batch": "12", "average": "0.8",
    "radius": "0.3", "attack_steps": "1", "attack_step": "0.3",
}  # fmt: skip


def request(out="toy", **changes):
    resume, seed = changes.pop("resume", False), changes.pop("seed", 0)
    return TrainRequest("mnist-at", out=out, seed=seed, changes=TINY | changes, resume=resume)


def run(asked):
    """The updates of a run."""
    *updates, model = train(Studio(choose("cpu")), asked)
    assert isinstance(model, Model) and model.end is updates[-1]
    return updates


def die(owner, name, call, after=False):
    """Have this process killed in a function's n-th call, before what it does or after."""
    real, calls = getattr(owner, name), itertools.count(1)

    def fatal(*args, **how):
        last = next(calls) == call
        result = None if last and not after else real(*args, **how)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, fatal)


def tell(asked, sender, death):
    if death is not None:
        die(*death)
    for item in train(Studio(choose("cpu")), asked):
        if isinstance(item, Trained):
            sender.send(item.done)


def child(asked, death=None):
    """A process that trains, saves after every step and says each one; forked, since a fresh one loads torch for seconds.

    Args:
        death: where it is killed, see `die`.
    """
    context = multiprocessing.get_context("fork")
    said, sender = context.Pipe(duplex=False)
    process = context.Process(target=tell, args=(asked, sender, death))
    process.start()
    sender.close()
    return process, said
