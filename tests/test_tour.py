"""The tour that the page begins with: its facts are measured, its words are its facts, and it goes stale with its models."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cemviz.backend import store, tour
from cemviz.backend.device import choose
from cemviz.backend.stored import assets
from cemviz.backend.studio import Studio
from cemviz.metrics.answers import logits
from cemviz.ui.glossary import GLOSSARY, marked
from cemviz.ui.start.words import STATIONS, rows

SHIPPED = Path(__file__).parents[1] / "checkpoints"


pytestmark = pytest.mark.usefixtures("shipped")


@pytest.fixture
def facts():
    return tour.stations().head | tour.opening().head


def pictures(url: str) -> np.ndarray:
    """A sprite's sheet, uint8 (H, W)."""
    kind, text = url.split(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("L"))


def unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.uint8)


def test_both_files_rest_on_the_models_that_ship_and_are_small():
    for made in (tour.opening(), tour.stations()):
        assert len(made.models) == 5 and made.stale(store.cards()) == []
    assert (SHIPPED / "tour" / "opening.json").stat().st_size < 160_000
    assert (SHIPPED / "tour" / "stations.json").stat().st_size < 250_000


def test_the_opening_s_numbers_are_those_of_a_run(facts):
    studio = Studio(choose("cpu"))
    for side, name in tour.NETS.items():
        chains = tour.chains_of(studio, tour.replace(tour.OPENING, model=name))
        panel = facts["panels"][side]
        assert panel["model"] == name and abs(panel["read"] - tour.read_by(studio, chains)) <= 1
        sheet = pictures(panel["sprite"]).reshape(len(tour.SHOWN), 28, 10, 28).swapaxes(1, 2).astype(int)
        apart = np.abs(sheet - chains.pixels[list(tour.SHOWN), ..., 0])
        assert apart[0].max() <= 9, "16 greys"
        assert np.median(apart) <= 5  # the raw gradient lets roundings of two processors grow
    assert facts["panels"]["robust"]["read"] >= 9 and facts["panels"]["standard"]["read"] <= 3
    assert facts["attacks alone"] <= 2 and facts["judge"] not in tour.NETS.values()


def test_the_attack_s_logits_are_those_of_its_pictures_and_its_radii_hold(facts):
    studio, attack = Studio(choose("cpu")), facts["attack"]
    x = assets.gallery("mnist").images[tour.SUBJECT, 0].numpy().astype(int)
    for side, name in tour.NETS.items():
        frames = pictures(attack[side]["sprite"]).reshape(len(tour.RADII), 28, 28)
        for frame, radius in zip(frames.astype(int), tour.RADII, strict=True):
            assert np.abs(frame - x).max() <= 255 * radius + 9
        f = logits(studio.model(name)[0], torch.from_numpy(frames[:1, None].astype(np.float32) / 255))
        assert torch.allclose(f[0], torch.tensor(attack[side]["logits"][0]), atol=1.5)
        seen = np.argmax(attack[side]["logits"], 1)
        assert seen[0] == attack["label"] and attack[side]["flips"] == tour.RADII[(seen != attack["label"]).argmax()]
        worse = [row[attack["label"]] - max(row[:4] + row[5:]) for row in attack[side]["logits"]]
        assert worse[-1] < worse[0] and attack["label"] == 4
    assert attack["standard"]["flips"] < attack["robust"]["flips"], "the claim of station 1"


def test_windows_and_rolls_hold_the_claims_of_their_stations(facts):
    assert facts["window"]["standard"]["range"] > 2 * facts["window"]["robust"]["range"]
    for side in tour.NETS:
        rolled = facts["roll"][side]
        assert len(rolled["path"]) == len(rolled["energy"]) == facts["roll"]["steps"] + 1
        assert rolled["energy"][-1] < rolled["energy"][0] - 20 and np.abs(rolled["path"]).max() <= 1
        grid = unpacked(rolled["grid"]).reshape(tour.SIDE, tour.SIDE) / 255
        for k in (0, -1):  # start and end lie on the plane itself, so that the picture says their energy
            x, y = (round((place + 1) / 2 * (tour.SIDE - 1)) for place in rolled["path"][k])
            seen = rolled["low"] + grid[y, x] * (rolled["high"] - rolled["low"])
            assert abs(seen - rolled["energy"][k]) < 0.15 * (rolled["high"] - rolled["low"])
    paths = [np.array(facts["roll"][side]["path"]) for side in tour.NETS]
    assert np.allclose(paths[0][0], paths[1][0]) and np.linalg.norm(paths[0][-1] - paths[1][-1]) > 0.5


def test_the_ball_s_picture_is_read_by_another_net_on_the_right_alone(facts):
    judge, _ = Studio(choose("cpu")).model(facts["judge"])
    for side, reads in (("standard", False), ("robust", True)):
        last = pictures(facts["roll"][side]["sprite"])[-28:].astype(np.float32) / 255
        assert (int(logits(judge, torch.from_numpy(last)[None, None]).argmax()) == facts["roll"]["asked"]) is reads


def test_false_maxima_go_where_points_come_and_stay_where_none_do(facts):
    everywhere, corner = (facts["plane"][key]["shots"][-1] for key in ("maximin", "maximin-corner"))
    assert everywhere["spurious"] < 0.01 and corner["spurious"] > 0.2
    assert everywhere["support"] == pytest.approx(0.5, abs=0.02) == corner["support"]
    assert len(unpacked(everywhere["D"])) == tour.SIDE**2 and len(unpacked(everywhere["moved"])) == 2 * tour.POINTS


def test_without_labels_one_crowd_spreads_and_the_other_collapses(facts):
    spread, collapsed = facts["unlabelled"]["maxent"], facts["unlabelled"]["pgd"]
    assert spread["most"] < spread["count"] / 4 and collapsed["most"] > 0.7 * collapsed["count"]


def test_every_station_asks_tells_and_opens_a_place_that_is_there(facts):
    words = rows(facts)
    assert len(words) == 8 and json.dumps(words)
    for row, station in zip(words[1:], STATIONS, strict=True):
        assert 2 <= len(row["answers"]) <= 3 and 0 <= row["right"] < len(row["answers"]) and row["question"].endswith("?")
        assert station.note and station.link and "{" not in row["lead"] + row["reveal"] + row["question"]
    assert "10 of the ten digits on the left and 2 on the right" in words[0]["reveal"]


def test_the_words_follow_the_facts(facts):
    facts["attack"]["standard"]["flips"] = 0.07
    assert "changes its mind at ε = 0.07" in rows(facts)[1]["reveal"]


def test_a_symbol_becomes_a_button_that_tells_its_meaning():
    assert marked("by [[ε]]") == f'by <button type="button" class="cem-symbol" data-meaning="{GLOSSARY["ε"]}">ε</button>'
    assert ">E(x, 3)</button>" in marked("[[E|E(x, 3)]]") and ">p₀</button>" in marked("[[p0]]")
    with pytest.raises(KeyError):
        marked("[[ω]]")
    assert set("αβηε") | {"x", "y", "f", "E", "p0", "pT", "D", "K"} <= GLOSSARY.keys()


def test_four_bits_a_pixel_keep_sixteen_greys():
    frames = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16).repeat(2, 0)
    sheet = pictures(tour.sprite(frames))
    assert sheet.shape == (32, 16) and np.array_equal(sheet[:16], sheet[16:])
    assert np.abs(sheet[:16].astype(int) - frames[0, 0]).max() <= 9 and len(np.unique(sheet)) == 16


def test_a_field_keeps_its_ends():
    made = tour.field(torch.tensor([[-3.0, 1.0], [0.0, 5.0]]))
    assert (made["low"], made["high"]) == (-3, 5) and unpacked(made["grid"]).tolist() == [0, 128, 96, 255]


def test_without_its_models_the_tour_is_left_out_and_the_page_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    assert tour.opening() is None and "mnist-jeat" in next(tour.make(Studio(choose("cpu"))))["skipped"]
    assert next(tour.make(Studio(choose("cpu")), "cifar10")) == {"skipped": "the tour is of mnist"}
    from cemviz.ui.start import tab

    assert tab.head() == "" and re.search("assets mnist --only tour", tab.WITHOUT)
