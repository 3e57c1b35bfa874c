"""Files that ship beside the models: energy grids and samples, made again byte for byte, and refused where they are spoiled."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
import windows
from conftest import CLASSES
from windows import MADE, ask, panels

from cemviz.backend import store
from cemviz.backend.assets import make as make_assets
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.look.landscape import ENERGIES
from cemviz.backend.store import BrokenCheckpoint
from cemviz.backend.stored import artefacts, assets, files
from cemviz.backend.stored.artefacts import Artefact
from cemviz.backend.studio import Studio
from cemviz.backend.use_case import Step


@pytest.fixture
def studio(places, monkeypatch):
    return windows.equipped(monkeypatch)


def test_make_tells_and_writes(studio):
    written = [item for item in studio.told if not isinstance(item, Step)]
    assert [item["asset"] for item in written] == ["seeds", "grids", "gallery"]
    grids = [step for step in studio.told if isinstance(step, Step) and step.doing.startswith("grids")]
    assert [step.done for step in grids] == list(range(1, 13)) and grids[0].total == 12  # 2 models, 2 kinds, 3 images
    assert store.load_gaussians("stripes").means.shape == (4, 192)
    assert {path.suffix for path in store.folder().rglob("*") if path.is_file()} == {".safetensors", ".json"}


def test_make_gives_the_same_bytes_again(studio):
    files = sorted(path for kind in ("seeds", "grids", "gallery") for path in (store.folder() / kind).iterdir())
    before = [path.read_bytes() for path in files]
    assert len(files) == 5
    list(make_assets(studio, "stripes", only=MADE))
    assert before == [path.read_bytes() for path in files]


def test_grids_hold_one_test_image_a_class_and_no_pixels(studio):
    grids, test = assets.grids("stripes"), studio.test_images("stripes")
    assert grids.labels == (0, 1, 2) and grids.classes == CLASSES and grids.indices == (0, 1, 2)
    assert grids.pixels == tuple(assets.fingerprint(test.pixels[i]) for i in grids.indices)
    assert {t.dtype for t in grids.tensors.values()} == {torch.float16} and len(grids.tensors) == 8
    assert all(t.shape == (3, 7, 7) for t in grids.tensors.values())
    assert grids.models == {name: c.sha256 for name, c in store.cards().items()}


def test_averages_are_means_over_the_images(studio):
    grids, cards = assets.grids("stripes"), store.cards()
    for energy in ENERGIES:
        mean = grids.averages(cards["stripes-at"], "random", energy)
        shapes = [panels(studio, ask(f"grid:{i}", "stripes-at"))[0].shapes[energy] for i in range(3)]
        assert mean == pytest.approx({k: np.mean([asdict(s)[k] for s in shapes]) for k in mean}, rel=1e-5)


def test_the_gallery_is_what_the_model_drew(studio):
    gallery = assets.gallery("stripes")
    assert gallery.model == "stripes-at" and gallery.sha256 == store.read_card("stripes-at").sha256
    assert gallery.images.dtype == torch.uint8 and gallery.images.shape == (6, 3, 8, 8)
    assert gallery.labels.tolist() == [0, 1, 2] * 2 and gallery.classes == CLASSES * 2
    assert gallery.settings["sampler"] == "rcs" and gallery.settings["seed"] == 0


def test_make_says_what_it_skips(places):
    studio = Studio(choose("cpu"))
    steps = list(make_assets(studio, "stripes", only=("grids", "gallery")))
    assert [("skipped" in step, step["asset"]) for step in steps] == [(True, "grids"), (True, "gallery")]
    assert assets.grids("stripes") is None and assets.gallery("stripes") is None
    with pytest.raises(BadInput, match="only is 'moons'"):
        list(make_assets(studio, "stripes", only=("moons",)))


@pytest.mark.parametrize("spoil", ["tensors", "words", "fields", "missing", "exchanged"])
def test_spoiled_assets_are_refused_with_the_cure(studio, spoil):
    (path,) = (store.folder() / "grids").glob("*.safetensors")
    if spoil == "tensors":
        path.write_bytes(path.read_bytes()[:-7])
    elif spoil == "words":
        (store.folder() / "grids" / "stripes.json").write_text("{")
    elif spoil == "fields":
        (store.folder() / "grids" / "stripes.json").write_text("{}")
    elif spoil == "missing":
        path.unlink()
    else:
        (other,) = (store.folder() / "gallery").glob("*.safetensors")
        path.write_bytes(other.read_bytes())
    with pytest.raises(BrokenCheckpoint, match="python -m cemviz assets stripes"):
        assets.grids("stripes")


def test_an_artefact_is_read_once_until_its_file_is_another(studio, monkeypatch):
    monkeypatch.setattr(files, "SETTLED", 0)  # else a file of this second may change within its tick
    whole, count = files.read_tensors, []
    monkeypatch.setattr(files, "read_tensors", lambda *given: count.append(1) or whole(*given))
    first = assets.grids("stripes")
    assert assets.grids("stripes").tensors is first.tensors and len(count) == 1
    artefact = artefacts.read("grids", "stripes", "")
    artefacts.write("grids", "stripes", Artefact(artefact.head | {"radius": 7.0}, artefact.tensors))
    count.clear()
    assert assets.grids("stripes").radius == 7.0 != first.radius and len(count) == 1
    artefacts.path("grids", "stripes").unlink()
    assert assets.grids("stripes") is None
