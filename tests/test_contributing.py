"""CONTRIBUTING.md to the letter: its rows go into the real tables of a copy of the project, and no test has to be edited."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = dict(
    re.findall(
        r"^## An? ([a-z ]+?):.*?```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M | re.S
    )
)
CONFORMANCE = {
    "sampler": ["test_samplers.py", "test_kinds.py", "test_fields.py"],
    "attack": ["test_attacks.py", "test_robustness.py", "test_fields.py"],
    "trainer": ["test_recipes.py"],
    "net": ["test_nets.py"],
    "data set": ["test_datasets.py", "test_recipes.py"],
    "kind of model": ["test_kinds.py", "test_samplers.py", "test_fields.py"],
    "tab": ["test_build.py"],
}
"""Tests that run over every row of the tables that a skeleton adds to."""

SEEN = {
    "sampler": "from cemviz.backend.requests import SampleRequest; assert SampleRequest('m', 'tempered').sampler == 'tempered'",
    "attack": "from cemviz.backend.attack.rates import COLUMNS; assert COLUMNS['pgd-long'] == 'PGD, long'",
    "trainer": "from cemviz.training.recipes import recipe; assert recipe('mnist-smoothed', 'shipped').steps == 1874",
    "net": "from cemviz.nets import build; assert build('linear')[-1].out_features == 10",
    "data set": "from cemviz.data.datasets import dataset; assert dataset('kmnist').labels(['KI'], ('o', 'ki')) == [1]",
    "kind of model": "from cemviz.backend.kinds import KINDS; assert KINDS['scorer'].usual['count'] == 4",
    "tab": "from cemviz.ui.page import TABS, build; assert 'mine' in TABS; build()",
}
"""A line of Python that sees the row where a user would."""


def pieces(block: str) -> list[tuple[str, str, str]]:
    """File, where in it, and what goes there."""
    parts = re.split(r"^# (cemviz/\S+?\.py)(?:, (.*))?\n", block, flags=re.M)[1:]
    return list(zip(parts[::3], (where or "" for where in parts[1::3]), parts[2::3], strict=True))


def follow(block: str, project: Path) -> None:
    """Do what a skeleton says."""
    for name, where, text in pieces(block):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        source = path.read_text(encoding="utf-8") if path.exists() else ""
        if where == "at the top":
            place = source.index("\n", source.index("\nfrom .")) if "\nfrom ." in source else 0
            start = source.rindex("\n", 0, place) + 1
            source = source[:start] + text.strip() + "\n" + source[start:]
        elif where.startswith("in "):
            table = re.search(rf"^{where[3:]}\b[^\n]*= {{\n", source, re.M)
            assert table, f"no table {where[3:]} in {name}"
            end = source.index("\n}", table.end() - 1)
            source = f"{source[:end]}\n{text.rstrip()}{source[end:]}"
        else:
            source = f"{source}\n\n{text}".lstrip()
        path.write_text(source, encoding="utf-8")


ONLY_NEW = """
from pathlib import Path

KNOWN = set(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines())


def pytest_collection_modifyitems(config, items):
    known = [item for item in items if item.nodeid in KNOWN]
    config.hook.pytest_deselected(items=known)
    items[:] = [item for item in items if item.nodeid not in KNOWN]
"""
"""A plugin that leaves out rows that the suite itself runs over; a test over a whole table is run again."""


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The project without its weights' history and without what git ignores."""
    project = tmp_path_factory.mktemp("project")
    for name in ("cemviz", "tests"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "test_contributing.py"))
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md", "app.py"):
        shutil.copy(ROOT / name, project / name)
    (project / "checkpoints").symlink_to(ROOT / "checkpoints")
    (project / "docs").symlink_to(ROOT / "docs")
    return project


def test_there_is_a_skeleton_for_every_table_that_a_contributor_adds_to():
    assert BLOCKS.keys() == CONFORMANCE.keys()


@pytest.mark.slow
def test_every_skeleton_at_once_leaves_the_suite_green_and_is_seen(copied, request):
    """All rows in one copy: what each adds is there, and the tests that run over the tables pass with it, unedited."""
    for block in BLOCKS.values():
        follow(block, copied)
    where = {"cwd": copied, "env": os.environ | {"PYTHONPATH": str(copied)}, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", "\n".join(SEEN.values())], **where)
    assert done.returncode == 0, done.stderr[-2000:]
    files = sorted({f"tests/{name}" for names in CONFORMANCE.values() for name in names})
    (copied / "only_new.py").write_text(ONLY_NEW, encoding="utf-8")
    rows = [item.nodeid for item in request.session.items if "[" in item.nodeid]
    (copied / "only_new.txt").write_text("\n".join(rows), encoding="utf-8")
    how = ["-p", "only_new", "-m", "not browser and not data and not slow"]
    done = subprocess.run([sys.executable, "-m", "pytest", "-n", "0", "--no-header", *how, *files], **where)
    assert done.returncode == 0, done.stdout[-4000:]
    ran = int(re.search(r"(\d+) passed", done.stdout)[1])
    assert ran > 100, "the new rows, and tests over whole tables"
