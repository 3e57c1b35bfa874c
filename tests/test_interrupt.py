"""Ctrl-C and SIGTERM: the first one waits until the state is whole."""

import os
import signal
import sys

import pytest
from runs import TINY, request, run

from cemviz import cli
from cemviz.backend import store
from cemviz.backend.train import run as backend
from cemviz.backend.train import states
from cemviz.backend.train.interrupt import Interrupt


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_after_an_update_whose_state_is_kept(places, monkeypatch, capsys, number):
    run(request("whole", steps="6"))
    real = backend.loop.fit

    def struck(*args, **kwargs):
        for progress in real(*args, **kwargs):
            yield progress
            if progress.step == 3:
                os.kill(os.getpid(), number)  # while the next update is computed

    words = ["train", "mnist-at", "--out", "toy"] + [f"--set={k}={v}" for k, v in (TINY | {"steps": "6"}).items()]
    before = signal.getsignal(number)
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stopped:
        patch.setattr(backend.loop, "fit", struck)
        patch.setattr(sys, "argv", ["cemviz", *words])
        cli.main()
    assert stopped.value.code == 130 and "can be resumed with --resume" in capsys.readouterr().err
    assert signal.getsignal(number) == before and int(store.read_tensors(states.path("toy"))["step"]) == 4
    assert [t.done for t in run(request(steps="6", resume=True))] == [5, 6]
    assert store.read_card("toy").sha256 == store.read_card("whole").sha256


def test_a_second_signal_or_one_before_the_first_update_stops_at_once():
    with Interrupt() as interrupt:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        interrupt.armed = True
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.signalled
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
