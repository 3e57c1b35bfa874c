"""The skeletons of CONTRIBUTING.md do what it says of them: a sampler, a trainer and a tab from a function and a row."""

import re
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from conftest import draw_weights, rand

from cemviz import energies, samplers
from cemviz.backend import split, store, studio
from cemviz.backend.requests import SampleRequest
from cemviz.backend.sampling import Chains
from cemviz.dynamics import Dynamics
from cemviz.nets import build
from cemviz.training import recipe, recipes, supervised
from cemviz.ui import controls, views
from cemviz.ui.sampling.words import summary

BLOCKS = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(), re.S)


def pieces(block: str) -> dict[str, str]:
    """File -> what goes into it."""
    parts = re.split(r"^# (cemviz/\S+?\.py).*\n", block, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def within(module, code: str, **more) -> dict:
    """The names of a module once the code stands in it."""
    names = vars(module) | more
    exec(code, names)
    return names


def row(module, text: str, **more) -> dict:
    """A row of a table of that module."""
    return eval("{" + text + "}", vars(module) | more)


def net():
    return draw_weights(build("small-resnet", width=4, depth=1, norm="none"), 1).eval().requires_grad_(False)


def summarised(sampler: str) -> str:
    """What the page says of a run."""
    card = store.read_card("mnist-at")
    numbers = np.ones((2, 1))
    run = Chains(
        SampleRequest("m", sampler), card, Dynamics(steps=1), np.zeros(1, int), np.zeros((2, 1, 28, 28, 1), np.uint8),
        {"distance": numbers}, np.zeros((1, 1, 28, 28)), np.zeros(1, int), numbers[0], 0.1,
    )  # fmt: skip
    return summary(studio.Studio(), [run])


def test_a_sampler_is_an_energy_and_a_row(monkeypatch):
    files = pieces(BLOCKS[0])
    tempered = within(energies, files["cemviz/energies.py"])["tempered"]
    (name, made), *_ = row(samplers, files["cemviz/samplers.py"], tempered=tempered).items()
    monkeypatch.setitem(samplers.SAMPLERS, name, made)
    x, y = rand(3, 1, 8, 8).float(), torch.tensor([0, 1, 2])
    dyn = samplers.replace(made.defaults, steps=2)
    *_, last = samplers.sample(name, net(), x, y, dyn, generator=torch.Generator().manual_seed(0))
    f = net()(last.x)
    torch.testing.assert_close(last.energy, -f.gather(1, y[:, None])[:, 0] - f.logsumexp(1) / 2)
    watched = split.Split(net(), made, y, x)
    x.requires_grad_()
    (grad,) = torch.autograd.grad(watched(x).sum(), x)
    label, lse = watched.parts(grad)
    torch.testing.assert_close(grad, -(made.climbs[0] * label + made.climbs[1] * lse))
    assert "+0.5·logsumexp" in summarised(name)


def test_a_trainer_is_an_objective_and_a_row(monkeypatch):
    files = pieces(BLOCKS[1])
    smoothed = within(supervised, files["cemviz/training/supervised.py"])["smoothed"]
    (objective,) = row(recipe, files["cemviz/training/recipe.py"], smoothed=smoothed).items()
    monkeypatch.setitem(recipe.OBJECTIVES, *objective)
    ((name, rows),) = row(recipes, files["cemviz/training/recipes.py"]).items()
    monkeypatch.setitem(recipes.RECIPES, name, rows)
    chosen = recipes.recipe(name, "evidence")
    terms = recipe.objective(chosen, (1, 8, 8), torch.Generator())(net(), (rand(4, 1, 8, 8).float(), torch.arange(4)), 0.0)
    assert set(terms) == {"cross-entropy", "smoothing"} and all(term.isfinite() for term in terms.values())
    assert chosen.steps == 468 and recipes.recipe(name, "shipped").steps == 1874


def test_a_tab_is_a_module_and_a_row(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    files = pieces(BLOCKS[2])
    names = vars(controls) | vars(views) | {"gr": gr, "Studio": studio.Studio, "figure": str}
    names["use_case"] = lambda studio, name: iter(["one", "two"])
    exec(files["cemviz/ui/tab_mine.py"], names)
    with gr.Blocks():
        tab = names["build"](gr.State(controls.Session()), studio.Studio())
    function, inputs, _ = tab.draw
    assert list(function(controls.Session(), None)) == ["one", "two"] and len(inputs) == 2
    assert set(tab.params) == {"m.model"} and tab.running
    assert row(controls, files["cemviz/ui/build.py"], tab_mine=pytest) == {"mine": ("Mine", pytest)}
