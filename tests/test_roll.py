"""A ball on a landscape: where it begins, what it descends, and where its shadow falls."""

import base64
import json

import numpy as np
import pytest
import torch
import windows
from stripes import elsewhere
from windows import ask

from cemviz.backend import packed
from cemviz.backend.checks import BadInput
from cemviz.backend.look.landscape import plane_of
from cemviz.backend.look.roll import STEPS, Roll, roll, rolling
from cemviz.backend.use_case import follow
from cemviz.ui.landscape import words


@pytest.fixture
def studio(places, monkeypatch):
    return windows.equipped(monkeypatch)


def rolls(studio, request, a=0.4, b=-0.3, model="stripes-at") -> list[Roll]:
    return follow(roll(studio, request, a, b, model))


@pytest.mark.parametrize("energy", ["joint", "marginal"])
@pytest.mark.parametrize("directions", ["random", "adversarial"])
def test_all_balls_begin_at_the_point_that_was_clicked_and_go_down_the_energy_shown(studio, energy, directions):
    request = ask("test:4", "stripes-standard", "stripes-at", directions=directions, energy=energy)
    balls = rolls(studio, request)
    plane = plane_of(studio, request, "stripes-at")
    x0 = (plane.centre + 0.4 * plane.u - 0.3 * plane.v).clamp(0, 1)
    for one in balls:
        assert one.path.shape == (STEPS + 1, 2) and one.pixels.shape[0] == len(one.energies) == STEPS + 1
        assert np.array_equal(one.pixels[0], (x0 * 255).round().byte().permute(1, 2, 0).numpy())
        f = studio.model(one.model)[0](x0[None])[0]
        label = int(studio.test_images("stripes").labels[4])
        assert one.energies[0] == pytest.approx(float(-f[label] if energy == "joint" else -f.logsumexp(0)), abs=1e-4)
        assert one.energies[-1] < one.energies[0]
    assert {one.model for one in balls} == {"stripes-standard", "stripes-at"}


def test_the_shadow_is_the_projection_on_the_net_s_own_plane(studio):
    request = ask("test:4", "stripes-at", directions="adversarial")
    (one,) = rolls(studio, request, a=0.05, b=0.02)
    plane = plane_of(studio, request, "stripes-at")
    last = torch.from_numpy(one.pixels[-1]).permute(2, 0, 1) / 255
    for name, direction in enumerate((plane.u, plane.v)):
        assert one.path[-1, name] == pytest.approx(float(((last - plane.centre) * direction).sum()), abs=0.05)


def test_a_roll_takes_unit_steps_and_no_noise():
    dyn = rolling((1, 28, 28))
    assert (dyn.gradient, dyn.noise, dyn.radius, dyn.steps) == ("unit", 0, np.inf, STEPS) and dyn.step == 0.5


@pytest.mark.parametrize(("a", "b"), [(99, 0), (0, -99), (float("nan"), 0)])
def test_a_point_beyond_the_window_is_refused(studio, a, b):
    with pytest.raises(BadInput):
        rolls(studio, ask("test:4"), a, b)


def test_without_pixels_there_is_no_ball_and_no_plane(studio, monkeypatch):
    alone = elsewhere(monkeypatch)
    assert plane_of(alone, ask("grid:1"), "stripes-at") is None
    with pytest.raises(BadInput, match="choose an image of the gallery"):
        rolls(alone, ask("grid:1"))
    assert rolls(alone, ask("gallery:2"))


def test_the_film_has_a_side_for_each_net(studio):
    balls = {one.model: one for one in rolls(studio, ask("test:4", "stripes-standard", "stripes-at"))}
    film = json.loads(words.film(balls, "E(x)"))
    assert [film["titles"][name][0] for name in balls] == ["A", "B"] and len(film["steps"]) == STEPS + 1
    assert film["name"] == "E(x)" and len(film["sides"]["stripes-at"]["energy"]) == STEPS + 1


def test_a_browser_can_make_every_image_of_a_plane(studio):
    window = plane_of(studio, ask("test:4", directions="adversarial"), "stripes-at")
    made = packed.plane(window)

    def numbers(name: str) -> np.ndarray:
        return np.frombuffer(base64.b64decode(made[name]), np.uint8).astype(float).reshape(made["shape"])

    u, v = ((numbers(name) - 127) * made[f"{name} scale"] for name in "uv")
    for a, b in ((0, 0), (1.5, -2), (-3, 0.5)):
        seen = np.clip(numbers("x") + 255 * (a * u + b * v), 0, 255)
        right = (window.centre + a * window.u + b * window.v).clamp(0, 1).permute(1, 2, 0).numpy() * 255
        assert np.abs(seen - right).max() < 6
