"""The selection: nets of one data set and a picture of it, whatever was chosen last."""

from dataclasses import replace

import pytest
from stripes import card
from windows import equipped, save

from cemviz.backend.device import choose
from cemviz.backend.foreign.guesses import UNKNOWN
from cemviz.backend.studio import Studio
from cemviz.ui.selection import FIRST, NONE, alike, beginning, current, fitted, instead, numbered, of_card, style


@pytest.fixture
def studio(places, monkeypatch):
    """Two nets of stripes, two of MNIST."""
    studio = equipped(monkeypatch)
    for seed, name in enumerate(("mnist-standard", "mnist-at")):
        save(name, seed, data="mnist")
    return studio


@pytest.mark.parametrize(
    ("a", "b", "leader", "nets"),
    [
        ("stripes-at", "stripes-standard", "a", ("stripes-at", "stripes-standard")),
        ("stripes-at", "mnist-at", "a", ("stripes-at", "stripes-standard")),
        ("stripes-at", "mnist-at", "b", ("mnist-standard", "mnist-at")),
        ("mnist-standard", "stripes-at", "a", ("mnist-standard", "mnist-at")),
        ("stripes-at", NONE, "a", ("stripes-at", NONE)),
    ],
)
def test_the_net_chosen_last_decides_the_data_set(studio, a, b, leader, nets):
    told = fitted(studio, a=a, b=b, x="test", y=NONE, leader=leader)
    assert (told["a"], told["b"]) == nets and told["x"]["value"] == "test"


def test_a_class_is_asked_for_as_long_as_the_net_knows_it(studio):
    card = studio.cards()["stripes-at"]
    menus = [of_card(card, "test", y)["y"] for y in ("left", "7", NONE)]
    assert [menu["value"] for menu in menus] == ["left", NONE, NONE]
    assert [value for _, value in menus[0]["choices"]] == [NONE, *card.classes]
    assert [numbered(card, y) for y in ("1", "left", "3", NONE)] == [card.classes[1], "left", "3", NONE]


@pytest.mark.parametrize(
    ("address", "y"),
    [
        ({"tab": "sampling", "s.classes": "3"}, "3"), ({"tab": "sampling", "s.classes": "3,7"}, NONE),
        ({"tab": "sampling", "s.classes": ""}, NONE), ({"tab": "digit", "d.to": "8", "s.classes": "3"}, "8"),
        ({"tab": "sampling", "d.to": "8", "s.classes": "3"}, "3"), ({"tab": "digit", "d.to": "own"}, NONE),
        ({"tab": "robustness", "r.class": "horse"}, "horse"), ({"tab": "robustness", "r.class": "all in turn"}, NONE),
        ({"tab": "sampling", "s.classes": "3", "y": "5"}, "5"),
    ],
)  # fmt: skip
def test_classes_of_older_addresses_are_the_one_that_is_asked_for(address, y):
    now = current(address)
    assert now["y"] == y and not now.keys() & {"d.to", "r.class"}
    assert now.get("s.classes", "") == ("" if y == "3" or address["tab"] != "sampling" else address["s.classes"])


def test_without_a_comparison_net_a_stays(studio):
    assert fitted(studio, a="stripes-at", b=NONE, x="test", y=NONE, leader="b") == {"b": NONE}


def test_pictures_are_those_of_the_data_set(studio):
    drawing = "drawn:AAAA"
    of_stripes = fitted(studio, a="stripes-at", b=NONE, x=drawing, y=NONE, leader="a")["x"]
    assert of_stripes["value"] == "grid:0" and "grid:0" in dict(of_stripes["choices"]).values()
    of_mnist = fitted(studio, a="mnist-at", b=NONE, x=drawing, y=NONE, leader="a")["x"]
    assert of_mnist["value"] == drawing and of_mnist["choices"][-1] == ("your drawing", drawing)


def test_the_page_begins_with_a_pair_of_whatever_is_stored(places):
    assert beginning(Studio(choose("cpu")).cards()) == (None, NONE)
    save("b-net", 1)
    assert beginning(Studio(choose("cpu")).cards()) == ("b-net", NONE)
    save("a-net", 2)
    assert beginning(Studio(choose("cpu")).cards()) == ("b-net", "a-net")
    for name in FIRST:
        save(name, 3, data="mnist")
    assert beginning(Studio(choose("cpu")).cards()) == FIRST


def test_names_that_are_no_older_ones_stay_as_they_are():
    assert current({"tab": "landscape", "l.radius": "3", "p.seed": "4"}) == {"tab": "landscape", "l.radius": "3", "p.seed": "4"}


def test_a_tab_shows_what_it_looks_at():
    rules = style({"one": ("a",), "two": (), "sampling": ("b", "x")})
    first, at_all, at_times = rules.split("body")[1:]
    assert "data-tab-id=one" in first and "#sel-a" in first and "data-tab-id=two" not in rules
    assert "#sel-b" in at_all and "#sel-x" not in at_all and not at_all.startswith("[")
    assert at_times.startswith("[data-start=picture]") and "#sel-x" in at_times and "#sel-upload" in at_times


def test_a_tab_that_works_with_another_net_than_a_says_so():
    assert instead("mnist-at", "mnist-at") == instead(None, "mnist-binary") == ""
    other = instead("mine~0123456789ab", "mnist-binary")
    assert other == "Net A, mine, is of another kind: mnist-binary is at work here. "


def test_two_nets_of_unknown_data_are_beside_each_other_only_where_sizes_and_classes_agree(studio):
    first = card("first", data=UNKNOWN)
    assert alike(first, card("second", data=UNKNOWN))
    assert not alike(first, replace(first, shape=(3, 224, 224)))
    assert not alike(first, replace(first, classes=("a", "b", "c", "d", "e", "f", "g")))
    assert not alike(card("known"), first) and alike(card("known"), card("other"))
