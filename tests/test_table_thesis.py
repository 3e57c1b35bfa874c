"""Tables of the thesis' second chapter: their own measures, on the net that ships and on games that are played anew."""

import shutil
from pathlib import Path

import pytest

from cemviz.backend.device import choose
from cemviz.backend.tables import thesis
from cemviz.backend.tables.reproduce import results
from cemviz.data import images

SHIPPED = Path(__file__).parents[1] / "checkpoints"
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "chains"), [("mnist", {}), ("start, no step", {"steps": 0})])
def test_the_share_of_whole_digits_is_measured_again(name, chains, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(SHIPPED))
    (row,) = (row for row in results()["thesis-2.5"]["rows"] if (row["name"], row["column"]) == (name, thesis.SHARP))
    value = thesis.sure(**chains).run("mnist-binary", choose("cpu"), None, 0)
    assert value["value"] == pytest.approx(row["values"][0], abs=0.01) and value["extractor"] == row["extractor"]


def test_a_larger_fixed_k_takes_fewer_updates_for_as_many_gradients():
    each = thesis.K / 2 + thesis.INSIDE + 1
    for steps in thesis.STEPS:
        gradients = int(thesis.equal(steps, 700)) * (steps + thesis.INSIDE + 1)
        assert gradients == pytest.approx(700 * each, rel=0.01)


@pytest.mark.data
@pytest.mark.skipif(not images.available("mnist", "train"), reason="the images of MNIST are not here")
def test_the_guard_ends_the_energy_objective_and_not_the_game(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr(thesis, "SURVIVED", 40)
    shutil.copytree(SHIPPED / "seeds", tmp_path / "seeds")
    exploded, played = (thesis.survival(loss, 2e-3).run("", choose("cpu"), None, 0) for loss in ("likelihood", "logistic"))
    assert 10 < exploded["value"] < 40 and exploded["note"].startswith("training diverged")
    assert played["value"] == 40
