"""A drawn digit: centred and scaled as MNIST's are, held in an address, and what two nets make of it."""

import base64
import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cemviz.attacks import perturb, threat
from cemviz.backend.attack.growing import flips, growing
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.look import digit as drawings
from cemviz.backend.look.digit import Digit
from cemviz.backend.look.drawings import as_mnist, from_file, from_ink, packed, unpacked
from cemviz.backend.look.pictures import subject
from cemviz.backend.requests import DigitRequest
from cemviz.backend.stored import assets
from cemviz.backend.studio import Studio
from cemviz.backend.tour import NETS
from cemviz.backend.use_case import Step
from cemviz.data import images
from cemviz.data.decoding import MOST_BYTES
from cemviz.dynamics import length
from cemviz.ui.controls import Session
from cemviz.ui.digit import handlers
from cemviz.ui.digit.words import payload, see
from cemviz.ui.selection import FIRST, NONE

pytestmark = pytest.mark.usefixtures("shipped")


@pytest.fixture(scope="module")
def studio():
    return Studio(choose("cpu"))


@pytest.fixture(scope="module")
def four():
    """A digit that a model drew."""
    return packed(assets.gallery("mnist").images[4].float() / 255)


def bar(height: int, width: int, side: int = 112, top: int = 3, left: int = 5) -> torch.Tensor:
    ink = torch.zeros(side, side)
    ink[top : top + height, left : left + width] = 0.8
    return ink


# drawings ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(80, 20), (20, 80), (60, 60), (100, 4), (3, 3), (109, 107)])
@pytest.mark.parametrize("side", [112, 140])
def test_a_drawing_fills_a_box_of_20_and_has_its_mass_in_the_middle(height, width, side):
    x = as_mnist(bar(height, width, side))
    rows, columns = (x[0] > 0.05).any(1).nonzero(), (x[0] > 0.05).any(0).nonzero()
    tall, wide = (int(at.max() - at.min()) + 1 for at in (rows, columns))
    assert x.shape == (1, 28, 28) and x.max() == pytest.approx(1) and x.min() == 0
    assert max(tall, wide) == 20 and min(tall, wide) == pytest.approx(
        max(1, 20 * min(height, width) / max(height, width)), abs=1
    )
    for d in (0, 1):
        place = (x[0].sum(1 - d) * torch.arange(28)).sum() / x.sum()
        assert place == pytest.approx(14, abs=0.51)


def test_where_a_drawing_lies_how_large_and_how_light_it_is_does_not_matter():
    digit = torch.rand(40, 30, generator=torch.Generator().manual_seed(0)).gt(0.5).float()
    large = digit.repeat_interleave(2, 0).repeat_interleave(2, 1)
    one = torch.zeros(112, 112)
    one[10:90, 20:80] = large
    other = torch.zeros(200, 160)
    other[100:180, 60:120] = 0.4 * large
    assert torch.allclose(as_mnist(one), as_mnist(other), atol=1e-5)


@pytest.mark.data
@pytest.mark.skipif(not images.available("mnist"), reason="MNIST is not on this machine (see README, Data)")
def test_a_digit_of_the_set_itself_hardly_changes():
    x = images.load("mnist", "test").first(200).floats()
    again = torch.stack([as_mnist(one[0].repeat_interleave(4, 0).repeat_interleave(4, 1)) for one in x])
    assert length(again - x).median() < 0.2 * length(x).median()


@pytest.mark.parametrize("ink", [torch.zeros(112, 112), torch.full((112, 112), 0.02)])
def test_an_empty_pad_is_told_so(ink):
    with pytest.raises(BadInput, match="nothing is drawn yet"):
        as_mnist(ink)


def test_an_address_holds_a_drawing_to_four_bits(four):
    x = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(1))
    assert (unpacked(packed(x)) - x).abs().max() <= 0.5 / 15 + 1e-6
    assert packed(unpacked(four)) == four and len(four) == 529 and set(four) <= set(f"{four}-_")


@pytest.mark.parametrize(
    "picture", ["", "drawn:", "drawn:AAAA", "drawn:" + "A" * 524, "test:3", "drawn:ü" + "A" * 522, "A" * 523]
)
def test_what_is_no_drawing_is_refused_in_one_line(picture):
    with pytest.raises(BadInput, match="give drawn: and 392 bytes"):
        unpacked(picture)


def written(image: Image.Image, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("paper", [255, 0])
def test_a_picture_is_light_on_dark_whatever_its_paper(form, paper):
    sheet = np.full((300, 200, 3), paper, np.uint8)
    sheet[60:240, 90:110] = 255 - paper
    x = from_file(written(Image.fromarray(sheet), form))
    assert x[0, 4:24, 14].mean() > 0.8 and x[0, :, :8].max() < 0.1 and x[0, :, 20:].max() < 0.1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no image", "is no image"), (b"", "is no image"), (written(Image.new("RGB", (50, 50), "white")), "nothing is drawn"),
        (b"\0" * (MOST_BYTES + 1), "larger than"), (written(Image.new("L", (6000, 6000))), "scale it down"),
    ],
)  # fmt: skip
def test_a_file_that_gives_no_digit_is_refused_in_one_line(data, words):
    with pytest.raises(BadInput, match=words) as refused:
        from_file(data)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("size", [0, 7, 49, 12543, 513 * 513])
def test_ink_that_is_no_square_is_refused(size):
    with pytest.raises(BadInput, match="no square"):
        from_ink(b"\xff" * size)


# what the nets make of it ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen(studio, four):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CEMVIZ_CHECKPOINTS", str(Path(__file__).parents[1] / "checkpoints"))
        *steps, last = drawings.digit(studio, DigitRequest(four, tuple(NETS.values()), "7"))
    assert len(steps) == 2 and all(isinstance(step, Step) for step in steps)
    return last


def test_both_nets_see_it_and_the_robust_one_holds_out_longer(seen):
    standard, robust = seen.sides
    assert standard.label == robust.label == 4 and seen.target == 7 and seen.classes[7] == "7"
    assert standard.flips < (robust.flips or 1)
    assert standard.rolled.shape == (drawings.STEPS + 1, 28, 28) and np.array_equal(standard.rolled[0], robust.rolled[0])
    assert robust.energies[-1] < robust.energies[0] and standard.energies[-1] < standard.energies[0]
    assert robust.title == "JEAT (L∞ .2)"


def test_the_windows_middle_is_the_drawing_s_own_energy(seen):
    for one in seen.sides:
        middle = one.energy[drawings.WINDOW // 2, drawings.WINDOW // 2]
        assert middle == pytest.approx(-one.logits[0][one.label], abs=1e-3)


def test_attacked_pictures_stay_in_their_balls_and_get_no_better(seen):
    for one in seen.sides:
        for frame, radius in zip(one.attacked.astype(int), seen.radii, strict=True):
            assert np.abs(frame - one.attacked[0]).max() <= 255 * radius + 1
        loss = [np.logaddexp.reduce(f) - f[one.label] for f in one.logits.astype(np.float64)]
        assert all(b >= a - 1e-4 for a, b in pairwise(loss)) and loss[-1] > loss[0]


def test_growing_finds_at_each_radius_what_pgd_finds_or_worse(studio, four):
    net, _ = studio.model(NETS["standard"])
    x, y = unpacked(four)[None], torch.tensor([4])
    attacks = list(growing(net, x, y, "linf", (0.0, 0.1), 10, torch.Generator().manual_seed(0)))
    plain = perturb("pgd", net, x, y, threat("pgd", "linf", 0.1, 10), generator=torch.Generator().manual_seed(0))
    assert torch.equal(attacks[0][0], x[0]) and torch.equal(attacks[1][0], plain[0])
    assert torch.allclose(attacks[1][1], net(plain)[0], atol=1e-5)


def test_a_flip_is_the_first_radius_with_another_class():
    f = torch.tensor([[2.0, 1], [1, 2], [3, 1]])
    assert flips(f, 0, (0, 0.1, 0.2)) == 0.1 and flips(f[[0, 2]], 0, (0, 0.1)) is None


def test_without_a_class_it_becomes_what_the_second_net_sees(studio, four):
    *_, last = drawings.digit(studio, DigitRequest(four, tuple(NETS.values())))
    assert last.target == 4


@pytest.mark.parametrize(
    ("models", "asked", "words"),
    [
        (("mnist-jeat", "cifar10-at"), "", "look at other pictures"), (("nope", "mnist-jeat"), "", "'nope', which is no"),
        (("mnist-uat", "mnist-jeat"), "", "is no classifier"), (("mnist-at", "mnist-jeat"), "ten", "class is 'ten'"),
        (("cifar10-at", "cifar10-standard"), "", "cannot look at one"),
    ],
)  # fmt: skip
def test_models_and_classes_that_do_not_fit_are_named(studio, four, models, asked, words):
    with pytest.raises(BadInput, match=words):
        list(drawings.digit(studio, DigitRequest(four, models, asked)))


def test_one_net_is_not_enough(four):
    with pytest.raises(BadInput, match="give two"):
        DigitRequest(four, ("mnist-at",))


# the page ----------------------------------------------------------------------------------------------------------------


def test_the_pad_s_ink_becomes_a_drawing_and_the_drawing_four_answers(studio):
    ink = (bar(80, 14, left=50) * 255).byte().numpy().tobytes()
    pad = handlers.take(studio, Session(), kind="ink", data=base64.b64encode(ink).decode())["pad"]
    assert unpacked(pad).sum() > 20
    *_, last = handlers.go(studio, Session(), pad=pad, a=NETS["standard"], b=NETS["robust"], picture="", y=NONE)
    assert '"become":{"asked":"1"' in last["results"] and "address of this page" in last["status"]


def test_what_stands_on_the_pad_at_first_is_not_called_the_visitor_s(studio):
    *_, last = handlers.go(studio, Session(), pad=handlers.example(), a=NETS["standard"], b=NETS["robust"], picture="", y=NONE)
    assert last["status"].startswith("A drawing that a net made")


def test_a_drawing_is_the_picture_of_the_other_tabs_and_a_judge_reads_its_class(studio, four):
    ink = (bar(80, 14, left=50) * 255).byte().numpy().tobytes()
    taken = handlers.take(studio, Session(), kind="ink", data=base64.b64encode(ink).decode())
    assert taken["picture"]["value"] == taken["pad"] and taken["picture"]["choices"][-1] == ("your drawing", taken["pad"])
    picture = subject(studio, "mnist", four)
    assert (
        (picture.label, picture.name) == (4, "4")
        and torch.equal(picture.x, unpacked(four))
        and "mnist-judge reads" in picture.title
    )
    with pytest.raises(BadInput, match="nets of cifar10 cannot look at one"):
        subject(studio, "cifar10", four)


@pytest.mark.parametrize(
    ("asked", "nets"),
    [
        (("mnist-uat", "mnist-at"), (FIRST[0], "mnist-at")), (("mnist-at", NONE), ("mnist-at", FIRST[1])),
        ((FIRST[1], NONE), (FIRST[1], FIRST[0])), (("mnist-at", "cifar10-at"), ("mnist-at", FIRST[1])),
    ],
)  # fmt: skip
def test_nets_that_read_no_digits_give_way(studio, four, asked, nets):
    session = Session()
    first = next(handlers.go(studio, session, pad=four, a=asked[0], b=asked[1], picture="gallery:0", y=NONE))
    assert (first["a"], first["b"]) == nets and first["picture"]["value"] == four and first["drawing"]["visible"]


@pytest.mark.parametrize(("b", "picture"), [("cifar10-standard", "gallery:3"), ("mnist-jeat", "gallery:3"), (NONE, "test")])
@pytest.mark.slow
def test_nets_of_photographs_look_at_the_selection_s_picture(studio, four, b, picture):
    asked = {"pad": four, "a": "cifar10-at", "b": b, "picture": picture, "y": "ship"}
    if picture == "test":
        with pytest.raises(BadInput, match="which test image is not said"):
            list(handlers.go(studio, Session(), **asked))
        return
    first, *_, last = handlers.go(studio, Session(), **asked)
    assert not first["drawing"]["visible"] and first["instead"]["visible"] and first.get("b", b) == "cifar10-standard"
    told = json.loads(last["results"])
    assert not told["drawn"] and told["attack"]["pixels"] == 32 and told["attack"]["radii"][-1] == 0.1
    assert told["become"]["asked"] == "ship" and "drawn by cifar10-at" in last["status"] and "address" not in last["status"]
    at, standard = (told["attack"][side] for side in ("robust", "standard"))
    assert np.argmax(standard["logits"][-1]) != standard["label"] and np.argmax(at["logits"][2]) == at["label"]


@pytest.mark.parametrize(
    ("kind", "data"), [("ink", "%%%"), ("exe", "AAAA"), ("file", 7), (["ink"], "AAAA"), ("file", "A" * (MOST_BYTES * 2))]
)
def test_what_no_pad_sends_is_refused(studio, kind, data):
    with pytest.raises(BadInput, match=r"picture|pad"):
        handlers.take(studio, Session(), kind=kind, data=data)


def test_the_words_say_who_holds_out(seen):
    assert see(seen).startswith("Both see a 4. A changes its mind at ε = ")
    other = Digit(seen.request, seen.x, seen.title, seen.classes, seen.radii, 3, 1.0, (seen.sides[0], seen.sides[0]))
    assert see(other).count("changes its mind") == 2
    assert len(payload(seen, 1)) < 150_000
