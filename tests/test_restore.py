"""The restoration use-case on a small binary net of its own: no shipped weights, no data set but a made-up one."""

import numpy as np
import pytest
import torch
from conftest import write_images
from PIL import Image

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.look import restore as climbs
from cemviz.backend.look.holes import hole, painted
from cemviz.backend.look.pictures import shaped
from cemviz.backend.look.restore import Restored, line, noisy, numbers, occluded, restore, save_png
from cemviz.backend.requests import RestoreRequest
from cemviz.backend.studio import Studio
from cemviz.data import images
from cemviz.data.datasets import DATASETS, Dataset
from cemviz.draws import Each
from cemviz.dynamics import Dynamics, descend, length, pin
from cemviz.energies import binary, on
from cemviz.metrics.similarity import similarity
from cemviz.mixtures import blurred
from cemviz.nets import build
from cemviz.starts import fit

SHAPE, SIZE = (1, 8, 8), (8, 8)
ARGS = {"mean": [0.5], "std": [0.5], "outputs": 1, "width": 4, "hidden": 8, "side": 8}


@pytest.fixture
def studio(places, monkeypatch):
    """Two binary nets, a classifier, class Gaussians, and two data sets of which one has another shape."""
    write_images(places / "data" / "other" / "test", 4, seed=5, side=12)
    monkeypatch.setitem(DATASETS, "stripes", Dataset("Stripes", SHAPE, ("left", "middle", "right")))
    monkeypatch.setitem(DATASETS, "other", Dataset("Other stripes", (3, 12, 12), ("left", "middle", "right")))

    def save(name: str, kind: str, net: str, **args):
        card = store.Card(
            name=name, title=name, kind=kind, net=net, net_args=args, data="stripes", shape=SHAPE,
            classes=("left", "middle", "right"), recipe="", scale="", recipe_args={}, norm="l2", radius=1.0, seed=0, steps=0,
            seconds=0.0, device="", command="", created="2026-01-01",
        )  # fmt: skip
        store.save(build(net, seed=1, **args), card)

    save("tiny", "binary", "small-cnn", **ARGS)
    save("wide", "binary", "small-cnn", **ARGS | {"width": 6})
    save("labels", "classifier", "small-cnn", **ARGS | {"outputs": 3})
    x = torch.rand(90, *SHAPE, generator=torch.Generator().manual_seed(0))
    store.save_gaussians("stripes", fit(x, torch.arange(90) % 3, 3, rank=4))
    return Studio(choose("cpu"))


def run(studio, **asked) -> Restored:
    *_, last = restore(studio, RestoreRequest(**{"model": "tiny", "image": "test:4", "steps": 3, "step": 0.2} | asked))
    return last


def picture(studio, i: int = 4) -> torch.Tensor:
    return studio.test_images("stripes").floats(i)[None]


# holes -------------------------------------------------------------------------------------------------------------------


def test_a_box_is_rows_then_columns():
    lost = hole("1,2,3,4", (8, 10))
    assert lost.sum() == 12 and lost[1:4, 2:6].all()
    middle = hole("", (28, 28))
    assert middle.sum() == 100 and middle[8:18, 8:18].all()


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (9, 7)])
def test_painted_cells_come_back_from_an_address(size):
    rows, columns = -(-size[0] // 2), -(-size[1] // 2)
    cells = torch.rand(rows, columns, generator=torch.Generator().manual_seed(1)) > 0.5
    text = painted(cells)
    lost = hole(text, size)
    assert len(text) <= 50 and set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert torch.equal(lost[::2, ::2], cells) and torch.equal(lost[1::2, 1::2], cells[: size[0] // 2, : size[1] // 2])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3", "give top,left,height,width"), ("middle", "give top,left"), ("8,0,1,1", "from 0 to 7"),
        ("0,-1,1,1", "from 0 to"), ("2,2,7,1", "from 1 to 6"), ("0,0,0,1", "from 1"), ("1,2,x,4", "'x'"),
        ("0,0,8,8", "all of the pixels"), ("cells-AAA", "none of the pixels"), ("cells-AAAAAAA", "2 bytes in base64"),
        ("cells-ü", "2 bytes in base64"),
    ],
)  # fmt: skip
def test_what_is_no_hole_is_refused_in_one_line(text, words):
    with pytest.raises(BadInput, match=words) as told:
        hole(text, SIZE)
    assert "\n" not in str(told.value) and told.value.field == "mask"


# damage and climb --------------------------------------------------------------------------------------------------------


def test_denoising_is_ascent_from_the_noisy_picture(studio):
    net, x = studio.model("tiny")[0], picture(studio)
    found = run(studio, sigma=0.2, seed=7)
    start = noisy(x, 0.2, Each(7, [0]))
    states = list(descend(on(net, binary), start, Dynamics(3, 0.2)))
    assert found.frames.shape == (4, 1, 8, 8, 1) and (found.truth == (x[0, 0] * 255).round().byte().numpy()[..., None]).all()
    for k, state in enumerate(states):
        assert found.series["energy"][k, 0] == pytest.approx(state.energy.item(), abs=1e-6)
        assert found.series["D"][k, 0] == pytest.approx(torch.sigmoid(-state.energy).item(), abs=1e-6)
        assert found.series["distance"][k, 0] == pytest.approx(length(state.x - start).item(), abs=1e-5)
        assert found.series["ssim"][k, 0] == pytest.approx(similarity(state.x, x).item(), abs=1e-6)
    assert found.series["energy"][-1, 0] < found.series["energy"][0, 0]
    assert found.ssim == pytest.approx((found.series["ssim"][0, 0], found.series["ssim"][-1, 0]))


def test_noise_is_as_strong_as_asked_and_drawn_by_the_seed():
    x = torch.full((1, 1, 60, 60), 0.5)
    assert (noisy(x, 0.1, Each(0, [0])) - x).std() == pytest.approx(0.1, rel=0.05)
    assert torch.equal(noisy(x, 0.1, Each(3, [0])), noisy(x, 0.1, Each(3, [0])))
    assert not torch.equal(noisy(x, 0.1, Each(3, [0])), noisy(x, 0.1, Each(4, [0])))
    assert noisy(x, 2.0, Each(0, [0])).min() == 0


def test_a_free_climb_changes_known_pixels_and_a_held_one_does_not(studio):
    x, lost = picture(studio), hole("2,2,3,3", SIZE)
    free, held = (run(studio, task="inpaint", mask="2,2,3,3", hold=hold) for hold in (False, True))
    whole = (x[0, 0] * 255).round().byte().numpy()
    assert np.array_equal(held.lost, lost.numpy()) and np.array_equal(held.frames[0], free.frames[0])
    assert (free.frames[0, 0, ..., 0][lost.numpy()] == round(255 * climbs.FILL)).all()
    assert (held.frames[:, 0, ..., 0][:, ~lost.numpy()] == whole[~lost.numpy()]).all()
    assert (free.frames[-1, 0, ..., 0][~lost.numpy()] != whole[~lost.numpy()]).any()
    assert (held.frames[-1, 0, ..., 0][lost.numpy()] != round(255 * climbs.FILL)).any()
    assert set(free.series) == {"energy", "D", "distance", "slope", "ssim", "inside", "outside"}
    assert free.series["outside"][-1, 0] < held.series["outside"][-1, 0] <= 1


def test_a_held_climb_is_descent_under_pin(studio):
    net, x, lost = studio.model("tiny")[0], picture(studio), hole("2,2,3,3", SIZE)
    found = run(studio, task="inpaint", mask="2,2,3,3", hold=True)
    *_, last = descend(on(net, binary), occluded(x, lost), Dynamics(3, 0.2), project=pin(x, ~lost))
    assert found.series["energy"][-1, 0] == pytest.approx(last.energy.item(), abs=1e-6)


def test_translation_begins_with_a_picture_of_another_set(studio):
    found = run(studio, task="translate", image="test:other/2")
    assert found.truth is None and found.lost is None and found.ssim is None and "ssim" not in found.series
    assert found.frames.shape == (4, 1, 8, 8, 1) and "of Other stripes" in found.title
    soft = run(studio, task="translate", image="test:other/2", blur=1.0)
    start = blurred(shaped(studio, found.card, "test:other/2").x[None], 1.0)
    assert np.array_equal(soft.frames[0, 0, ..., 0], (start[0, 0] * 255).round().byte().numpy())
    assert not np.array_equal(soft.frames[0], found.frames[0])


def test_an_interpolation_climbs_from_a_line_whose_ends_are_the_starts(studio):
    found = run(studio, task="interpolate", image="start:0", other="start:1")
    ends = [run(studio, task="translate", image=f"start:{seed}") for seed in (0, 1)]
    assert found.frames.shape == (4, climbs.BETWEEN, 8, 8, 1)
    for place, end in zip((0, -1), ends, strict=True):
        assert np.array_equal(found.frames[:, place], end.frames[:, 0])
    a, b = (end.frames[0, 0].astype(float) for end in ends)
    assert np.abs(found.frames[0, 2] - (5 * a + 2 * b) / 7).max() <= 1.5 and not np.array_equal(a, b)
    assert torch.equal(line(torch.zeros(1, 2, 2), torch.ones(1, 2, 2), 3)[:, 0, 0, 0], torch.tensor([0, 0.5, 1]))


def test_pictures_are_named_with_their_set(studio):
    _, card = studio.model("tiny")
    assert torch.equal(shaped(studio, card, "test:stripes/4").x, shaped(studio, card, "test:4").x)
    other = shaped(studio, card, "test:other/2").x
    assert other.shape == SHAPE and 0 <= other.min() and other.max() <= 1 and other.std() > 0.05
    for image, words in (
        ("test:nope/2", "choose one of"), ("test:other/99", "from 0 to 11"), ("gallery:other/0", "no gallery"),
        ("start:x", "image is 'x'"), ("nowhere:3", "image is 'nowhere'"), ("test:mnist/0", "not on this machine"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=words):
            shaped(studio, card, image)


def test_numbers_suit_the_task_and_what_is_asked_wins():
    def suit(**asked):
        dyn = numbers(RestoreRequest("m", **asked), (1, 28, 28))
        return dyn.steps, dyn.step

    assert suit(sigma=0.3) == (21, 0.5) and suit(sigma=0.1) == (7, 0.5) and suit(sigma=0.0) == (1, 0.5)
    assert suit(sigma=0.1, step=0.25) == (14, 0.25) and suit(sigma=0.1, step=0.0) == (1, 0.0)
    assert suit(task="inpaint") == (climbs.FREE, 0.5) and suit(task="inpaint", hold=True) == (climbs.HELD, 0.5)
    assert suit(task="translate") == (10, 1.0) and suit(task="translate", steps=4, step=0.3) == (4, 0.3)
    assert numbers(RestoreRequest("m"), (3, 32, 32)).step == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"hold": True}, "the task is denoise: leave hold out"), ({"blur": 1.0}, "the task is denoise: leave it out"),
        ({"task": "interpolate"}, "give other"), ({"other": "test:1"}, "leave other out"), ({"task": "mend"}, "choose one of"),
        ({"sigma": -1}, "σ"), ({"steps": 5000}, "K"),
    ],
)  # fmt: skip
def test_fields_that_do_not_go_together_are_refused(asked, words):
    with pytest.raises(BadInput, match=words):
        RestoreRequest("tiny", **asked)


def test_a_model_that_does_not_restore_is_refused_with_those_that_do(studio):
    with pytest.raises(BadInput, match="'labels' is a classifier; a binary net restores: tiny, wide"):
        run(studio, model="labels")


@pytest.mark.parametrize(("asked", "tiles"), [({}, 3), ({"task": "translate"}, 2)])
def test_the_picture_shows_truth_damaged_and_restored(studio, tmp_path, asked, tiles):
    found = run(studio, **asked)
    image = Image.open(save_png(found, tmp_path / "out.png"))
    assert image.size == (3 * (tiles * 10 + 2), 36)
    pixels = np.asarray(image)[::3, ::3]
    shown = [found.truth, found.frames[0, 0], found.frames[-1, 0]][3 - tiles :]
    for k, one in enumerate(shown):
        assert np.array_equal(pixels[2:10, 2 + 10 * k : 10 + 10 * k], one[..., 0])


@pytest.mark.data
@pytest.mark.skipif(not images.available("mnist"), reason="MNIST is not on this machine (see README, Data)")
@pytest.mark.skipif("mnist-binary" not in store.cards(), reason="mnist-binary is not stored here")
def test_the_stored_net_takes_noise_away():
    found = [restore(Studio(choose("cpu")), RestoreRequest("mnist-binary", image=f"test:{i}", sigma=0.1)) for i in range(10)]
    gains = [last.ssim[1] - last.ssim[0] for *_, last in found]
    assert np.mean(gains) > 0.05
