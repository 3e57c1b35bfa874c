"""The plane: paths, arrows and colours are those of the game, a history stays short, a frame is small and true to the net."""

import base64
import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cemviz.backend.frame import DOTS, LINEAR, frame
from cemviz.backend.play import HISTORY, RECORD, TRAIL, Playground, changed_rules
from cemviz.backend.presets import PLAY
from cemviz.data.toys import BOX


@pytest.mark.parametrize("preset", ["maximin", "minimax"])
def test_paths_lead_from_the_start_to_the_perturbed_points(preset):
    ground = Playground(changed_rules(PLAY[preset].rules, inner=1, steps=40))
    assert ground.view().path.shape[0] == 1
    for _ in range(3):
        ground.both()
    view = ground.view()
    shown = view.path.shape[1]
    np.testing.assert_array_equal(view.path[0], view.start[:shown])
    np.testing.assert_array_equal(view.path[-1], view.moved[:shown])
    assert len(view.path) == (TRAIL if preset == "maximin" else 4)  # one attack of 40 steps; three of one step


def test_heads_are_the_normalised_gradient_of_the_logit():
    ground = Playground()
    ground.both(3)
    view = ground.view(arrows=7)
    net, h = copy.deepcopy(ground.game.net).double(), 1e-5
    x = torch.from_numpy(view.arrows).double()
    with torch.no_grad():
        moved = [(net(x + h * e) - net(x - h * e)).squeeze(1) for e in torch.eye(2, dtype=torch.float64)]
    g = torch.stack(moved, 1)
    np.testing.assert_allclose(np.linalg.norm(view.heads, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(view.heads, (g / g.norm(dim=1, keepdim=True)).numpy(), atol=2e-3)


def test_the_contour_is_D_with_rows_along_y():
    ground = Playground()
    ground.learn()
    view = ground.view(side=9)
    with torch.no_grad():
        at = ground.game.net(torch.tensor([[view.axis[7], view.axis[2]]])).sigmoid().item()
    assert view.D[2, 7] == pytest.approx(at, rel=1e-5)


def test_history_has_one_entry_a_turn_and_stays_short():
    ground = Playground(replace(PLAY["maximin"].rules, steps=1, count=8, width=4))
    ground.view()
    ground.attack()
    ground.view()
    ground.learn()
    view = ground.view()
    np.testing.assert_allclose(view.history[:, 0], [0, 1])
    kept = [getattr(view.stands, name) for name in RECORD]
    np.testing.assert_allclose(view.history[-1, 1:], kept, rtol=1e-6)
    ground._history = [(float(k), *[0.0] * len(RECORD)) for k in range(-HISTORY, 1)]
    ground.attack()
    last = ground.view().history[:, 0]
    assert len(last) <= HISTORY and last[0] == -HISTORY and last[-1] == ground.game.turn and (np.diff(last) > 0).all()


def numbers_of(text, dtype, low=0.0, scale=1.0):
    return (np.frombuffer(base64.b64decode(text), dtype).astype(float) - low) / scale


@pytest.mark.parametrize("preset", PLAY)
def test_a_frame_is_small_and_holds_the_picture(preset):
    ground = Playground(changed_rules(PLAY[preset].rules, steps=60, inner=1))
    ground.both(TRAIL + 5)
    picture = ground.picture()
    packed = frame(picture)
    assert len(json.dumps(packed)) <= 20_000
    byte = numbers_of(packed["f"], np.uint8, 127, 127)
    f = LINEAR * np.sinh(byte * math.asinh(packed["peak"] / LINEAR)).reshape(picture.f.shape)
    np.testing.assert_allclose(1 / (1 + np.exp(-f)), picture.D, atol=0.006)
    near = np.abs(picture.f) < 0.1
    np.testing.assert_allclose(f[near], picture.f[near], atol=0.012)  # a line D = 1/2 is not shifted
    np.testing.assert_allclose(f, picture.f, rtol=0.04, atol=0.02)
    np.testing.assert_allclose(numbers_of(packed["heads"], np.uint8, 127, 127), picture.heads.ravel(), atol=0.004)
    for name in ("data", "start", "moved"):
        held = getattr(picture, name)[:DOTS].clip(-BOX, BOX)
        np.testing.assert_allclose(numbers_of(packed[name], "<i2", 0, 32767 / BOX), held.ravel(), atol=1e-4)
    ways = numbers_of(packed["path"], "<i2", 0, 32767 / BOX).reshape(-1, packed["ways"], 2)
    np.testing.assert_allclose(ways, picture.path, atol=1e-4)


def test_a_frame_of_a_flat_net_is_flat():
    picture = Playground().picture()
    flat = replace(picture, f=np.zeros_like(picture.f))
    assert set(numbers_of(frame(flat)["f"], np.uint8)) == {127}
