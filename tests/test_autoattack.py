"""AutoAttack, the protocol: its parts in turn on what is still right, and the published numbers where they are installed."""

import pytest
import torch
from conftest import rand, seeded, toy_classifier
from torch import nn

from cemviz.attacks import ATTACKS, perturb, threat
from cemviz.backend.checks import BadInput
from cemviz.backend.requests import EvaluateRequest
from cemviz.metrics.answers import RIGHT
from cemviz.metrics.robustness import PROTOCOLS, outcomes_by, outcomes_under
from cemviz.metrics.watched import Watched

X = rand(40, 1, 8, 8, seed=1, dtype=torch.float32)
PARTS = ("apgd", "apgd-t", "fab-t", "square")


def net_of(seed):
    return toy_classifier((1, 8, 8), classes=10, seed=seed, scale=2.0).float()


@pytest.fixture
def brief(monkeypatch):
    """The same attacks in a few steps each."""
    for name in PARTS:
        few = {**{f: getattr(ATTACKS[name], f) for f in ATTACKS[name].__dataclass_fields__}, "steps": 4}
        monkeypatch.setitem(ATTACKS, name, type(ATTACKS[name])(**few))


def test_the_standard_protocol_has_the_papers_parts_and_numbers():
    assert PROTOCOLS["autoattack"].attacks == PARTS
    assert [ATTACKS[name].steps for name in PARTS] == [100, 100, 100, 5000]
    assert [ATTACKS[name].targets for name in PARTS] == [0, 9, 9, 0]
    assert threat("apgd-t", "linf", 0.1).step == pytest.approx(0.2)


def test_each_part_meets_only_what_is_still_right_chunk_by_chunk(brief, monkeypatch):
    net, seen = net_of(0), []
    y = net(X).argmax(1)
    y[:5] = (y[:5] + 1) % 10  # wrong without an attack

    def spy(name, net, x, y, dyn, *, generator=None):
        assert (net(x).argmax(1) == y).all() and (dyn.norm, dyn.radius, dyn.steps) == ("linf", 0.05, 4)
        adv = perturb(name, net, x, y, dyn, generator=generator)
        seen.append((name, len(x), int((net(adv).argmax(1) == y).sum())))
        return adv

    monkeypatch.setattr("cemviz.metrics.robustness.perturb", spy)
    ends = list(outcomes_by("autoattack", net, X, y, "linf", 0.05, size=20, generator=seeded()))
    assert [len(end) for end in ends] == [20, 20] and [name for name, *_ in seen] == [*PARTS, *PARTS]
    for chunk, (start, end) in enumerate(zip((15, 20), ends, strict=True)):
        for _, given, left in seen[4 * chunk : 4 * chunk + 4]:
            assert given == start
            start = left
        assert 0 < start < given + 20 and start == (end == RIGHT).sum()


def test_a_part_that_leaves_nothing_is_the_last(monkeypatch):
    seen = []
    monkeypatch.setattr("cemviz.metrics.robustness.perturb", lambda name, net, x, *rest, **how: seen.append(name) or 1 - x)
    bright, x = lambda x: torch.stack([m := x.mean((1, 2, 3)), 1 - m], 1), X[:6] / 2 + 0.5
    (end,) = outcomes_by("autoattack", bright, x, torch.zeros(6, dtype=torch.int64), "l2", 1.0)
    assert seen == ["apgd"] and not (end == RIGHT).any()


def test_a_point_on_the_way_counts_where_it_lies_in_the_ball():
    net, x, y = lambda x: torch.stack([m := x.mean((1, 2, 3)), 1 - m], 1), torch.full((3, 1, 2, 2), 0.55), torch.tensor([0] * 3)
    watched = Watched(net, x, y, threat("pgd", "linf", 0.2))
    low = x - torch.tensor([0.1, 0.3, 0.02])[:, None, None, None]
    assert torch.equal(watched(low), net(low)) and watched.fooled.tolist() == [True, False, False]
    watched(low[2:] - 0.1), watched(x - 0.15), watched(x)
    assert watched.fooled.all()
    ends = torch.full_like(x, 0.6)
    torch.testing.assert_close(watched.worst(ends), torch.cat([low[:1], x[1:] - 0.15]))
    torch.testing.assert_close(Watched(net, x, y, threat("pgd", "linf", 0.2)).worst(ends), ends)


def test_the_protocol_counts_what_fooled_the_net_on_the_way(monkeypatch):
    def passing(name, net, x, y, dyn, *, generator=None):
        net(x - 0.1)
        return x

    monkeypatch.setattr("cemviz.metrics.robustness.perturb", passing)
    dim, x = lambda x: torch.stack([m := x.mean((1, 2, 3)), 1 - m], 1), torch.full((3, 1, 2, 2), 0.55)
    y = torch.zeros(3, dtype=torch.int64)
    (end,) = outcomes_by("autoattack", dim, x, y, "linf", 0.2)
    assert not (end == RIGHT).any()
    (end,) = outcomes_under("apgd", dim, x, y, threat("apgd", "linf", 0.2))
    assert (end == RIGHT).all()


def test_an_unknown_protocol_and_a_net_of_three_classes_are_refused():
    with pytest.raises(KeyError, match="no protocol 'auto'; choose one of autoattack"):
        next(outcomes_by("auto", net_of(0), X, torch.zeros(40, dtype=torch.int64), "l2", 1.0))
    net = toy_classifier((1, 8, 8), classes=3).float()
    with pytest.raises(ValueError, match="needs at least 4 classes, the net has 3; use apgd instead"):
        next(outcomes_by("autoattack", net, X, net(X).argmax(1), "l2", 0.0))


def test_a_request_takes_the_protocol_and_no_targeted_attack():
    assert EvaluateRequest("m", "robust", attack="autoattack").attack == "autoattack"
    with pytest.raises(BadInput, match="targeted"):
        EvaluateRequest("m", "robust", attack="targeted")


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "radius"), [("linf", 0.02), ("l2", 0.3)])
@pytest.mark.parametrize("seed", [0, 1])
def test_each_part_breaks_as_many_images_as_the_published_one(norm, radius, seed):
    """Within one image, or more by Square, whose published squares never reach the last row and column.

    torchattacks has the authors' code of all four, with fewer steps unless told.
    """
    theirs = pytest.importorskip("torchattacks")
    n, net = {"linf": "Linf", "l2": "L2"}[norm], nn.Sequential(net_of(seed)).eval()
    y, how = net(X).argmax(1), {"norm": n, "eps": radius, "seed": 0}
    published = {
        "apgd": theirs.APGD(net, steps=100, loss="ce", **how),
        "apgd-t": theirs.APGDT(net, steps=100, n_classes=10, **how),
        "fab-t": theirs.FAB(net, steps=100, multi_targeted=True, n_classes=10, **how),
        "square": theirs.Square(net, n_queries=1000, **how),
    }
    for name, attack in published.items():
        dyn = threat(name, norm, radius, 1000 if name == "square" else None)
        ours = int((net(perturb(name, net, X, y, dyn, generator=seeded())).argmax(1) == y).sum())
        left = int((net(attack(X, y)).argmax(1) == y).sum())
        assert 4 < left < 36 and ours <= left + 1 and (name == "square" or ours >= left - 1), name
