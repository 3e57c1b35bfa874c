"""The house's rules: who imports whom, and that everything below the page works without the page's libraries."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]


def test_each_layer_imports_only_what_stands_below_it(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0, capsys.readouterr().out


@pytest.mark.slow
def test_everything_but_the_page_imports_without_gradio_and_plotly():
    program = """
import sys, pkgutil, importlib
for name in ("gradio", "plotly", "pandas", "fastapi"):
    sys.modules[name] = None  # importing it now raises ImportError
import cemviz
found = [m.name for m in pkgutil.walk_packages(cemviz.__path__, "cemviz.")]
names = [n for n in found if not n.startswith(("cemviz.ui", "cemviz.__"))]
for name in names:
    importlib.import_module(name)
assert {"cemviz.backend.train.run", "cemviz.backend.store", "cemviz.attacks", "cemviz.cli"} <= set(names), names
print(len(names))
"""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_package_never_pickles_and_the_library_never_prints():
    for path in (ROOT / "cemviz").rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"(?<!safetensors\.)torch\.(save|load)\(", text) and "import pickle" not in text, path
        calls = [n.func for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
        if not {"cli", "ui"} & set(path.parts):
            assert not any(isinstance(f, ast.Name) and f.id == "print" for f in calls), path
