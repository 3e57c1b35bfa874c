"""One decoder for every kind of file: what a pixel becomes, and what is refused before it costs anything."""

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from cemviz.data import decoding
from cemviz.data.decoding import BadImage, decode

GREY, COLOUR = (1, 4, 4), (3, 4, 4)
RAMP = np.linspace(0, 65535, 16).astype(np.uint16).reshape(4, 4)


def file(image: Image.Image, kind: str = "PNG", **how) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()


def header(width: int, height: int, depth: int = 8, colour: int = 6) -> bytes:
    """A PNG that says how large it is, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_to_eight(kind):
    x = decode(file(Image.fromarray(RAMP), kind), GREY)
    assert x.dtype == torch.uint8 and x.shape == GREY
    assert np.array_equal(x[0].numpy(), np.rint(RAMP / 257))
    edges = np.array([[128, 129, 32767, 65406, 65407]], np.uint16)  # half a step of 257 below and above
    assert decode(file(Image.fromarray(edges), kind), (1, 1, 5)).flatten().tolist() == [0, 1, 127, 254, 255]
    assert decode(file(Image.fromarray(np.full((4, 4), 32639, np.uint16)), kind), COLOUR).unique().tolist() == [127]


def test_wide_integers_that_fit_sixteen_bits_are_scaled_and_others_refused():
    x = decode(file(Image.fromarray(RAMP.astype(np.int32)), "TIFF"), GREY)
    assert np.array_equal(x[0].numpy(), np.rint(RAMP / 257))
    for wrong in (70000, -1):
        with pytest.raises(BadImage, match=rf"pixels from .*{wrong}.*, beyond 16 bits; save it with 8 bits"):
            decode(file(Image.fromarray(np.array([[0, wrong]], np.int32)), "TIFF"))


@pytest.mark.parametrize("shape", [GREY, COLOUR, None])
def test_floating_point_pixels_are_refused(shape):
    with pytest.raises(BadImage, match="floating-point pixels, which have no agreed range"):
        decode(file(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), shape)


def see_through(mode: str) -> bytes:
    """A white square whose left half is transparent."""
    alpha = np.zeros((4, 4), np.uint8)
    alpha[:, 2:] = 255
    white = np.full((4, 4), 255, np.uint8)
    if mode == "LA":
        return file(Image.merge("LA", [Image.fromarray(white), Image.fromarray(alpha)]))
    if mode == "RGBA":
        return file(Image.merge("RGBA", [Image.fromarray(white)] * 3 + [Image.fromarray(alpha)]))
    if mode == "webp":
        image = Image.merge("RGBA", [Image.fromarray(white)] * 3 + [Image.fromarray(alpha)])
        return file(image, "WEBP", lossless=True, exact=True)
    if mode in ("P", "gif"):
        image = Image.fromarray((alpha // 255).astype(np.uint8), "L").convert("P")
        image.putpalette([9, 9, 9, 255, 255, 255])
        return file(image, "GIF" if mode == "gif" else "PNG", transparency=0)
    if mode == "I;16":
        return file(Image.fromarray(np.where(alpha, 65535, 7).astype(np.uint16)), transparency=7)
    keyed = Image.fromarray(np.where(alpha, 255, 7).astype(np.uint8))
    return file(keyed, transparency=7) if mode == "L" else file(keyed.convert("RGB"), transparency=(7, 7, 7))


@pytest.mark.parametrize("mode", ["LA", "RGBA", "webp", "P", "gif", "L", "RGB", "I;16"])
def test_transparency_is_black_in_grey_sets_and_white_in_colour_sets(mode):
    grey, colour = decode(see_through(mode), GREY), decode(see_through(mode), COLOUR)
    assert grey[0, 0].tolist() == [0, 0, 255, 255] and colour.unique().tolist() == [255]
    assert torch.equal(decode(see_through(mode)), colour)


def test_half_transparent_is_half_of_both():
    image = Image.new("RGBA", (4, 4), (200, 200, 200, 128))
    assert abs(int(decode(file(image), GREY)[0, 0, 0]) - 100) <= 1
    assert abs(int(decode(file(image), COLOUR)[0, 0, 0]) - 227) <= 1


def test_one_bit_palette_and_cmyk_give_their_colours():
    assert decode(file(Image.fromarray(np.eye(4, dtype=bool))), GREY)[0].equal(255 * torch.eye(4, dtype=torch.uint8))
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert decode(file(image), COLOUR)[:, 0, 0].tolist() == [10, 20, 30]
    for kind in ("TIFF", "JPEG"):
        cyan = decode(file(Image.new("CMYK", (4, 4), (255, 0, 0, 0)), kind), COLOUR)[:, 1, 1]
        assert (cyan - torch.tensor([0, 255, 255], dtype=torch.uint8)).abs().max() < 6 or cyan[0] < 6


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (3, 3)), (6, (0, 3)), (8, (3, 0)), (2, (0, 3))])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_images_are_turned_upright(orientation, corner, kind):
    pixels = np.zeros((32, 32), np.uint8)
    pixels[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    x = decode(file(Image.fromarray(pixels), kind, exif=exif), GREY)[0]
    assert divmod(int(x.argmax()), 4) == corner


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_taken(kind):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "lime")]
    x = decode(file(frames[0], kind, save_all=True, append_images=frames[1:]), COLOUR)
    assert x[0].min() > 230 and x[1:].max() < 30


def test_a_shape_resamples_and_no_shape_keeps_the_size_in_colour():
    image = Image.fromarray(np.full((6, 10), 90, np.uint8))
    assert decode(file(image)).shape == (3, 6, 10) and decode(file(image), (1, 3, 5)).shape == (1, 3, 5)
    assert decode(file(image), (1, 3, 5)).unique().tolist() == [90]


def test_path_bytes_and_open_file_are_one_image(tmp_path):
    data, path = file(Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4))), tmp_path / "x.png"
    path.write_bytes(data)
    ways = [decode(source, GREY) for source in (path, str(path), data, io.BytesIO(data))]
    assert all(torch.equal(ways[0], x) for x in ways) and ways[0].flatten().tolist() == list(range(16))
    ways[0].zero_()  # writable, and nobody else's
    assert decode(path, GREY).sum() == 120


@pytest.mark.parametrize("size", [(12_000, 12_000), (12_000, 2_000), (4_001, 4_000), (2**31 - 1, 1), (65_000, 65_000)])
def test_too_many_pixels_are_refused_from_the_header(tmp_path, size):
    path = tmp_path / "wide.png"
    path.write_bytes(header(*size))
    tracemalloc.start()
    with pytest.raises(BadImage, match=r"wide\.png: .*(scale it down|too many pixels).* at most 16,000,000"):
        decode(path, COLOUR)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_what_is_refused_is_said_once(tmp_path):
    (tmp_path / "wide.png").write_bytes(header(12_000, 12_000))
    lines = f"from cemviz.data.decoding import decode; decode({str(tmp_path / 'wide.png')!r})"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, timeout=60)
    assert "BadImage" in done.stderr and "Warning" not in done.stderr


def test_the_most_pixels_are_decoded():
    assert decode(file(Image.new("1", (4_000, 4_000), 1)), GREY).unique().tolist() == [255]


def test_a_file_of_too_many_bytes_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "MOST_BYTES", 2**20)
    (tmp_path / "x.png").write_bytes(b"\0" * (2**20 + 1))
    for source in (tmp_path / "x.png", b"\0" * (2**20 + 1), io.BytesIO(b"\0" * 2**21)):
        with pytest.raises(BadImage, match="larger than 1 MB"):
            decode(source)


GOOD = {kind: file(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)), kind)
        for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")}  # fmt: skip


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9])
def test_a_truncated_file_is_refused_in_one_line_that_names_it(tmp_path, kind, share):
    path = tmp_path / "half.png"
    path.write_bytes(GOOD[kind][: int(share * len(GOOD[kind]))])
    with pytest.raises(BadImage, match=r"half\.png: ") as raised:
        decode(path, COLOUR)
    assert "\n" not in str(raised.value) and len(raised.value.fault) > 8 and raised.value.fault in str(raised.value)


@pytest.mark.parametrize("kind", GOOD)
def test_whatever_the_bytes_are_there_is_an_image_or_a_bad_image(kind):
    random = np.random.default_rng(1)
    for _ in range(60):
        data = bytearray(GOOD[kind])
        for place in random.integers(0, len(data) if random.random() < 0.5 else 60, 4):
            data[place] = random.integers(256)
        try:
            assert decode(bytes(data), COLOUR).shape == COLOUR
        except BadImage as error:
            assert str(error).startswith("the image: ")


@pytest.mark.parametrize("kind", ["PCX", "TGA", "PPM", "EPS"])
def test_formats_that_no_set_comes_in_are_not_opened(kind):
    with pytest.raises(BadImage, match="is no image of PNG, WEBP, JPEG"):
        decode(file(Image.new("RGB", (4, 4)), kind))


@pytest.mark.parametrize("text", [b"", b"GIF89a", b"<svg/>", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\0" * 99])
def test_what_is_no_image_says_so_and_no_program_is_run_for_it(text):
    with pytest.raises(BadImage, match=r"upload 3: (is no image of PNG|cannot be)"):
        decode(text, name="upload 3")


def test_a_path_that_is_not_there_or_a_folder_is_named(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(BadImage, match=f"{path.name}: cannot be read: (No such file|Is a directory)"):
            decode(path)
