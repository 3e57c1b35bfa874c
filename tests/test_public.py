"""The public face: names at the top, a light import, and the ten lines that a newcomer begins with."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from conftest import rand, seeded, toy_classifier

import cemviz
from cemviz.backend import store
from cemviz.starts import Source, draw


def test_every_public_name_is_there_and_is_the_one_of_its_module():
    assert all(hasattr(cemviz, name) for name in cemviz.__all__)
    assert cemviz.sample is cemviz.samplers.sample and cemviz.attack is cemviz.attacks.attack
    assert cemviz.load is store.load and cemviz.save is store.save and cemviz.energies.joint
    with pytest.raises(AttributeError, match="module 'cemviz' has no attribute 'train'"):
        _ = cemviz.train


@pytest.mark.slow
def test_the_import_brings_no_backend_and_nothing_of_the_page():
    code = "import sys, cemviz; print([m for m in sys.modules if m.split('.')[0] in ('gradio', 'plotly', 'PIL', 'safetensors') "
    code += "or m.startswith(('cemviz.backend', 'cemviz.ui', 'cemviz.training'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and done.stderr == ""


def test_ten_lines_load_a_model_draw_attack_the_draws_and_keep_a_copy(monkeypatch, tmp_path):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(Path(__file__).parents[1] / "checkpoints"))
    g = torch.Generator().manual_seed(0)
    net, card = cemviz.load("mnist-at")
    y = torch.arange(4)
    x0 = draw("class-gaussian", Source(card.shape, store.load_gaussians(card.data)), y, g)
    *_, last = cemviz.sample("rcs", net, x0, y, generator=g)
    assert (net(last.x).argmax(1) == y).all()
    dyn = cemviz.threat("pgd", card.norm, card.radius)
    x_adv = cemviz.perturb("pgd", net, last.x, y, dyn, generator=g)
    *_, end = cemviz.attack(cemviz.ATTACKS["energy"], net, last.x, y, dyn, generator=g)
    joint = cemviz.energies.joint
    assert (joint(net(x_adv), y) > joint(net(last.x), y)).all() and (end.energy < -joint(net(last.x), y)).all()
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    cemviz.save(net, card)
    assert torch.equal(cemviz.load("mnist-at")[0](x0), net(x0))


def test_rows_of_ones_own_need_no_table():
    net, x, y = toy_classifier(), rand(4, 1, 4, 4), torch.arange(4)
    mine = cemviz.Sampler(
        "Odds", "classifier", cemviz.energies.odds, "label", cemviz.Dynamics(5, 0.1), "our choice", "Descends the odds."
    )
    *_, last = cemviz.sample(mine, net, x, y, generator=seeded())
    assert (cemviz.energies.odds(net(last.x), y) < cemviz.energies.odds(net(x), y)).all()
    away = cemviz.Attack("Odds", lambda f, y: -cemviz.energies.odds(f, y), 5, 0.3, "our choice")
    x_adv = cemviz.perturb(away, net, x, y, cemviz.threat(away, "linf", 0.2), generator=seeded())
    assert (cemviz.energies.odds(net(x_adv), y) > cemviz.energies.odds(net(x), y)).all()


def test_a_wheel_has_every_file_that_lies_beside_the_code():
    root = Path(__file__).parents[1]
    patterns = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    covered = {
        file for package, rows in patterns.items() for row in rows for file in (root / package.replace(".", "/")).glob(row)
    }
    there = {file for file in (root / "cemviz").rglob("*.*") if file.suffix not in (".py", ".pyc") and file.is_file()}
    assert there and not (missing := there - covered), missing
