"""Commands and code of the README and of docs/ run as they stand, and what a command writes is current."""

import re
import shlex
from pathlib import Path

import pytest
import torch
import typer
from conftest import rand, toy_classifier

from cemviz.backend import docs
from cemviz.cli import app

ROOT = Path(__file__).parents[1]
README, USING = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/USING.md"))
COMMANDS = re.findall(r"-m cemviz (.+?)(?:\s+#.*|`.*)?$", "\n".join(re.split(r"`(?=python)", README + USING)), re.M)
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)


def test_there_are_commands_of_every_kind():
    assert {line.split()[0] for line in COMMANDS} >= {"list", "sample", "evaluate", "train", "reproduce", "play", "bench"}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one_that_the_command_line_knows(line):
    """Its name, options and types; nothing is run."""
    group = typer.main.get_command(app)
    with group.make_context("cemviz", shlex.split(line)) as outer:
        name, command, rest = group.resolve_command(outer, shlex.split(line))
        with command.make_context(name, rest):
            pass


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("train")])
def test_no_training_of_the_readme_replaces_a_model_that_ships(line):
    assert "--out" in line


def test_the_code_runs_and_takes_a_classifier_of_one_s_own(monkeypatch, capsys):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(ROOT / "checkpoints"))
    first, second = BLOCKS
    names: dict = {}
    exec(first, names)
    x, y = rand(12, 1, 4, 4, dtype=torch.float32), torch.arange(12) % 4
    exec(second, names | {"mine": toy_classifier().float(), "x": x, "y": y, "x0": x, "y0": y})
    shape, faults, accuracy = capsys.readouterr().out.splitlines()
    assert shape.startswith("torch.Size([10, 1, 28, 28]) tensor([0, 1, 2, 3") and faults == "[]"
    assert 0 <= float(re.search(r"[\d.]+", accuracy)[0]) < 1


@pytest.mark.parametrize("name", docs.PAGES)
def test_the_tables_of_docs_are_those_that_the_command_writes_now(name, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(ROOT / "checkpoints"))
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == docs.PAGES[name](), "run: python -m cemviz docs"


@pytest.mark.parametrize("page", ["README.md", "docs/USING.md", "docs/MODELS.md", "docs/EQUATIONS.md", "CONTRIBUTING.md"])
def test_a_link_to_a_file_leads_to_one(page):
    path = ROOT / page
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8"))
    missing = [link for link in links if not (path.parent / link).exists()]
    assert not missing, f"{page} links to {missing}"
