"""Shared by the suite: one thread, seeded generators, tiny nets and a tiny data set on disk."""

import asyncio
import gc
import math
import os
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start, too: the cores are shared already

import numpy as np
import pages
import pytest
import torch
from PIL import Image
from torch import nn

torch.set_num_threads(1)


def pytest_xdist_auto_num_workers(config):
    """A process for each core, and one more where there is a browser: the one that has it waits for it most of the time."""
    return (os.cpu_count() or 1) + ("not browser" not in config.option.markexpr)


def pytest_collection_modifyitems(items):
    """Put first what opens a browser, the longest of it before the rest: others take from the end when they are done."""
    items.sort(key=lambda item: [item.get_closest_marker(mark) is None for mark in ("browser", "slow")])


def pytest_collection_finish():
    """Look for no garbage among what the imports made, which stays."""
    gc.collect()
    gc.freeze()


def awaited(work: Coroutine) -> Any:
    """The value of a coroutine, run in a thread of its own: once there was a browser, its loop runs in the tests' thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(*shape, generator=seeded(seed), dtype=dtype)


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def draw_weights(net: nn.Module, seed: int = 0, scale: float = 1.0) -> nn.Module:
    """Refill a net's weights from a generator of their own."""
    g = seeded(seed)
    with torch.no_grad():
        for p in net.parameters():
            fan_in = p[0].numel() if p.dim() > 1 else p.numel()
            p.copy_(scale * torch.randn(p.shape, generator=g, dtype=torch.float64).to(p) / math.sqrt(fan_in))
    return net


def toy_classifier(shape: tuple[int, ...] = (1, 4, 4), classes: int = 4, seed: int = 0, scale: float = 4.0) -> nn.Module:
    """A curved classifier in float64 and eval mode: two layers with tanh between."""
    with torch.random.fork_rng(devices=[]):
        net = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 16), nn.Tanh(), nn.Linear(16, classes))
    return draw_weights(net.double(), seed, scale).eval()


def batchnorm_net(classes: int = 3) -> nn.Module:
    """A small convolutional net with BatchNorm, in train mode, float64."""
    with torch.random.fork_rng(devices=[]):
        net = nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(), nn.Linear(36, classes)).double()
    return draw_weights(net, 3, 2.0)


CLASSES = ("left", "middle", "right")


def write_images(
    folder: Path, count: int, seed: int, classes: tuple[str, ...] = CLASSES, side: int = 8, grey: bool = False
) -> None:
    """An easy set of `count` images a class: class c has its c-th vertical stripe bright, the rest is dim noise."""
    random = np.random.default_rng(seed)
    width = side // len(classes)
    for c, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = random.integers(0, 100, (side, side) if grey else (side, side, 3))
            pixels[:, c * width : (c + 1) * width] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i:03}.png")


BRIEF = {kind: {"sampler": sampler, "steps": 2} for kind, sampler in (("classifier", "jeat17"), ("encoder", "maxent"))}
"""Chains of the frames that a run draws: short ones, since a run of a test is all probes."""


def equip(root: Path, patch: pytest.MonkeyPatch) -> Path:
    """Make a root with the data set `stripes` (3 classes, 8x8 RGB), an empty folder of models, and a user cache of its own."""
    write_images(root / "data" / "stripes" / "train", 20, seed=1)
    write_images(root / "data" / "stripes" / "test", 10, seed=2)
    patch.setenv("CEMVIZ_DATA", str(root / "data"))
    patch.setenv("CEMVIZ_CHECKPOINTS", str(root / "models"))
    patch.setenv("CEMVIZ_DEVICE", "cpu")
    patch.delenv("CEMVIZ_DEBUG", raising=False)
    patch.setattr("cemviz.data.images.CACHE", root / "cache")
    patch.setattr("cemviz.backend.train.frames.SETTINGS", BRIEF)
    return root


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A root of one test's own, see `equip`."""
    return equip(tmp_path, monkeypatch)


@pytest.fixture
def here(places, monkeypatch):
    """The same as the working folder, on one's own machine."""
    monkeypatch.chdir(places)
    monkeypatch.delenv("SPACE_ID", raising=False)
    return places


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command line in this process: (exit code, standard output, standard error)."""

    from cemviz import cli

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["cemviz", *map(str, words)])
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code or 0
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def shipped(monkeypatch):
    """The models that ship, whatever folder the environment names."""
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(pages.ROOT / "checkpoints"))


@pytest.fixture(scope="session")
def url():
    """The page with the models that ship: one server for all tests that need no other."""
    yield from pages.served()


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=pages.CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def profile(browser):
    """One visitor's browser for all tests, whose cache has the scripts after the first page; nothing else is stored there."""
    context = browser.new_context()
    yield context
    context.close()


def visits(profile, url):
    """Open the page; at the end no request may have left the origin and nothing may stand in the console."""
    opened, strays, errors = [], [], []

    def go(query="", width=1280, height=1000, tabs="visible", prepare=None, reduced_motion="no-preference"):
        """Open an address; `tabs` is their state to wait for, None to go on at the document's first bytes."""
        page = profile.new_page()
        opened.append(page)
        page.set_default_timeout(pages.SLOW)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(reduced_motion=reduced_motion)
        pages.TRAFFIC[page] = pages.Traffic(page)
        page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else strays.append(r.url))
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        if prepare is not None:
            prepare(page)
        page.goto(url + query, wait_until="load" if tabs else "commit")
        if tabs:
            page.get_by_role("tab", name="Playground", include_hidden=True).wait_for(state=tabs)
        return page

    yield go
    for page in opened:
        page.close()
    assert not strays, f"requests left the machine: {strays}"
    assert not errors, errors


@pytest.fixture
def visit(profile, url):
    """Open the page for one test."""
    yield from visits(profile, url)


@pytest.fixture(scope="module")
def visit_once(profile, url):
    """Open the page for several tests of a file: to load it costs seconds. Each begins by making what it looks at."""
    yield from visits(profile, url)
