"""Pictures of a visitor's own in colour: bounded, cut, scaled, held in the address, and looked at like any other."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
import windows
from PIL import Image
from stripes import card

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.look import uploads
from cemviz.backend.look.pictures import as_picture, subject
from cemviz.data.letters import parsed
from cemviz.nets import build
from cemviz.ui.selection import own_choice, pictured, take_upload
from cemviz.ui.uploads import MOST_BYTES, content

SHAPE = (3, 8, 8)


def file(pixels: np.ndarray, kind: str = "PNG", **how) -> bytes:
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, kind, **how)
    return made.getvalue()


@pytest.fixture
def studio(places, monkeypatch):
    """Nets of stripes, and a judge of theirs."""
    studio = windows.equipped(monkeypatch)
    judge = replace(card("stripes-judge"), role="judge")
    store.save(build(judge.net, seed=3, **judge.net_args), judge)
    return studio


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (96, 64), (5, 9), (8, 8)])
def test_the_middle_square_is_kept_and_the_rest_cut(height, width):
    edge = min(height, width)
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left = (height - edge) // 2, (width - edge) // 2
    pixels[top : top + edge, left : left + edge] = (200, 100, 50)
    small, done = uploads.scaled(file(pixels), SHAPE)
    assert small.dtype == torch.uint8 and small.shape == SHAPE
    assert torch.equal(small, torch.tensor([200, 100, 50], dtype=torch.uint8).view(3, 1, 1).expand(SHAPE))
    assert f"{width} × {height}" in done and ("cut out" in done) == (height != width) and "scaled to 8 × 8" in done


def test_areas_are_averaged_so_that_nothing_vanishes_between_the_samples():
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[::8] = 255  # one row in eight: a sample a tile would take all or nothing of it
    small, _ = uploads.scaled(file(lines), SHAPE)
    assert small.float().mean() == pytest.approx(255 / 8, abs=3) and small.max() < 80


def test_an_upload_is_upright_and_what_is_transparent_is_white():
    pixels = np.zeros((16, 16, 4), np.uint8)
    assert (uploads.scaled(file(pixels), SHAPE)[0] == 255).all()
    half = np.zeros((16, 16, 3), np.uint8)
    half[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    small, _ = uploads.scaled(file(half, "JPEG", quality=100, exif=exif), SHAPE)
    assert small[:, 0].float().mean() < 5 and small[:, -1].float().mean() > 250


def test_what_is_no_picture_or_too_large_is_told_in_a_line():
    bomb = file(np.zeros((4001, 4001), np.uint8))
    for data, words in ((b"no picture", "is no image"), (b"", "is no image"), (bomb, "scale it down to at most 16,000,000")):
        with pytest.raises(BadInput, match=words) as caught:
            uploads.scaled(data, SHAPE)
        assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match="in colour and square"):
        uploads.scaled(file(np.zeros((9, 9), np.uint8)), (1, 28, 28))


def test_the_address_holds_every_value_of_it():
    pixels = torch.arange(192, dtype=torch.uint8).view(SHAPE)
    name = uploads.named(pixels)
    assert torch.equal((uploads.pixels(name, SHAPE) * 255).round().byte(), pixels) and len(name) == 7 + 256
    assert uploads.fits(name, SHAPE) and not uploads.fits(name, (3, 4, 4)) and not uploads.fits("drawn:" + name[7:], SHAPE)
    for bad in (name[:-4], "upload:<b>", "upload:", "drawn:" + name[7:]):
        with pytest.raises(BadInput, match="give upload: and 192 bytes"):
            uploads.pixels(bad, SHAPE)
    assert parsed("<b>!") == b"" and parsed("é") == b""


def test_a_judge_reads_the_class_of_an_upload(studio):
    x = torch.randint(0, 256, SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    shot = subject(studio, "stripes", uploads.named(x))
    net, judge = studio.model("stripes-judge")
    assert torch.equal((shot.x * 255).round().byte(), x) and shot.label == int(net(shot.x[None]).argmax())
    assert shot.name == judge.classes[shot.label] and "stripes-judge reads" in shot.title
    with pytest.raises(BadInput, match="give upload: and 192 bytes"):
        subject(studio, "stripes", "upload:AAAA")


def test_a_file_is_made_like_the_set_of_net_a():
    sheet = np.full((60, 40), 255, np.uint8)
    sheet[10:50, 18:23] = 0
    assert as_picture("mnist", (1, 28, 28), file(sheet))[0].startswith("drawn:")
    assert uploads.fits(as_picture("stripes", SHAPE, file(sheet))[0], SHAPE)


def test_an_upload_is_the_picture_of_the_selection_and_says_what_was_done(studio):
    data = base64.b64encode(file(np.zeros((10, 20, 3), np.uint8))).decode()
    changes = take_upload(studio, None, a="stripes-at", data=data)
    x = changes["x"]["value"]
    assert changes["x"]["choices"][-1] == own_choice(x) == ("your picture", x)
    assert "20 × 10: the middle square of 10 was cut out" in changes["note"]
    of_a = studio.cards()["stripes-at"]
    assert pictured(of_a, x)["value"] == x and pictured(of_a, "upload:AAAA")["value"] == "grid:0"


@pytest.mark.parametrize("data", ["%%%", 7, None, "A" * (MOST_BYTES * 4 // 3 + 8)])
def test_what_no_upload_sends_is_refused(data):
    with pytest.raises(BadInput, match=r"5 MB|broken"):
        content(data)
