"""Draws by the row: a chain's numbers are those of its seed and index; plain generators draw what torch draws."""

import pytest
import torch
from conftest import seeded, toy_classifier

from cemviz.attacks import perturb, threat
from cemviz.draws import Each, Part, among, rand, randint, randn
from cemviz.dynamics import Dynamics
from cemviz.metrics.robustness import correct_under
from cemviz.samplers import sample
from cemviz.starts import STARTS, Gaussians, Source, draw, near

N, SHAPE = 150, (1, 4, 4)
GROUPS = {
    "in chunks": [range(100), range(100, 150)],
    "one by one": [[i] for i in range(N)],
    "in another order": [torch.randperm(N, generator=seeded(3)).tolist()],
    "some of them": [[149, 3], [70]],
}
grouped = pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)

SOURCE = Source(
    SHAPE,
    Gaussians(torch.rand(5, 16, generator=seeded(1)), torch.randn(5, 16, 7, generator=seeded(2)) / 9, torch.full((5,), 0.05)),
    torch.randint(256, (997, *SHAPE), generator=seeded(4), dtype=torch.uint8),
    torch.rand(SHAPE, generator=seeded(5)),
    p0=lambda count, generator: rand((count, *SHAPE), generator=generator, dtype=torch.float32),
)
Y = torch.arange(N) % 4


def everything(each: Each, indices) -> list[torch.Tensor]:
    """Draws of a run, in turn, from one source: every start, a point of a ball, and noise."""
    y = Y[list(indices)]
    x0 = [draw(name, SOURCE, y, each) for name in STARTS]
    balls = [near(x0[0], Dynamics(radius=0.3, norm=norm), generator=each) for norm in ("l2", "linf")]
    return [*x0, *balls,
            randn((len(y), 3), generator=each), rand((len(y),), generator=each)]  # fmt: skip


@grouped
def test_a_chain_draws_the_same_numbers_in_any_batch_bit_by_bit(groups):
    whole = everything(Each(7, range(N)), range(N))
    for indices in groups:
        for a, b in zip(everything(Each(7, indices), indices), whole, strict=True):
            assert torch.equal(a, b[list(indices)])


@grouped
@pytest.mark.parametrize("name", ["rcs", "langevin"])
def test_a_chain_walks_the_same_way_in_any_batch(groups, name):
    net, dyn = toy_classifier(), Dynamics(12, 0.1, 0.02, 2.0)

    def ends(indices):
        each = Each(7, indices)
        x0 = draw("class-gaussian", SOURCE, Y[list(indices)], each).double()
        *_, last = sample(name, net, x0, Y[list(indices)], dyn, generator=each)
        return last.x

    whole = ends(range(N))
    for indices in groups:
        torch.testing.assert_close(ends(indices), whole[list(indices)], rtol=0, atol=1e-5)


def test_chains_and_seeds_have_streams_of_their_own_across_draws():
    each, other = Each(0, range(200)), Each(1, range(200))
    first, second, third = randn((200, 50), generator=each), randn((200, 50), generator=each), randn((200, 50), generator=other)
    for a, b in ((first, second), (first, third), (first, first.roll(1, 0)), (second, third.roll(1, 0))):
        assert (torch.cosine_similarity(a, b).abs() < 0.65).all()  # 4.6 sigma of 1/sqrt(50)
    swapped = Each(200, [0])  # seed and index are no sum
    assert not torch.equal(randn((1, 50), generator=swapped), randn((1, 50), generator=Each(0, [200])))


def test_the_draws_of_all_chains_have_the_moments_of_their_law():
    each, n = Each(5, range(400)), 400 * 500
    normal, even = randn((400, 500), generator=each).double(), rand((400, 500), generator=each).double()
    assert abs(normal.mean()) < 5 / n**0.5 and abs(normal.var() - 1) < 5 * (2 / n) ** 0.5  # 5 sigma
    assert abs(even.mean() - 0.5) < 5 * (1 / 12 / n) ** 0.5 and abs(even.var() - 1 / 12) < 5 * (1 / 180 / n) ** 0.5
    assert even.min() >= 0 and even.max() < 1
    # of one place over all chains: neighbours in index are no neighbours in draws
    assert abs(randn((4000, 1), generator=Each(5, range(4000))).mean()) < 5 / 4000**0.5
    picks = randint(7, 4000, generator=Each(5, range(4000)))
    assert picks.dtype is torch.int64 and picks.bincount(minlength=7).sub(4000 / 7).abs().max() < 5 * (4000 / 7) ** 0.5


def test_picks_among_more_than_2_to_the_24_reach_odd_numbers_too():
    picks = randint(2**40, 2000, generator=Each(0, range(2000)))
    assert picks.max() < 2**40 and picks.min() >= 0 and 800 < (picks % 2).sum() < 1200


def test_draws_come_in_the_asked_shape_dtype_and_place():
    each = Each(0, [4, 9], "meta")
    assert each.device.type == "meta" and rand((2, 3), generator=each).device.type == "meta"
    a, b = (randn((2, 3, 5), generator=Each(0, [4, 9]), dtype=dtype) for dtype in (torch.float32, torch.float64))
    assert a.shape == (2, 3, 5) and b.dtype is torch.float64 and torch.equal(a.double(), b)  # one chain whatever its dtype


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_a_chain_draws_the_same_numbers_on_any_device():
    there = everything(Each(7, range(9), "cuda"), range(9))
    assert all(torch.equal(a.cpu(), b) for a, b in zip(there, everything(Each(7, range(9)), range(9)), strict=True))


def test_some_rows_of_a_source_share_their_streams_with_it():
    each, alone = Each(3, [5, 6, 7, 8]), Each(3, [5, 6, 7, 8])
    some = each[torch.tensor([3, 1])]
    assert some.indices == (8, 6) and each[1:3].indices == (6, 7)
    a, b = randn((2, 4), generator=some), randn((4, 4), generator=alone)
    assert torch.equal(a, b[[3, 1]])
    c, d = randn((4, 4), generator=each), randn((4, 4), generator=alone)
    assert torch.equal(c[[1, 3]], d[[1, 3]]) and torch.equal(c[[0, 2]], b[[0, 2]])  # two of the four have gone on already
    plain = seeded()
    assert among(plain, torch.tensor([0])) is plain and among(None, slice(1)) is None


def test_another_number_of_rows_than_of_chains_is_refused():
    with pytest.raises(ValueError, match=r"the batch has 3 rows, its source of draws 2 chains"):
        randn((3, 4), generator=Each(0, [0, 1]))


@pytest.mark.parametrize(
    ("seed", "indices", "error"),
    [(-1, [0], ValueError), (2**64, [0], ValueError), (0, [-1], ValueError), (0.5, [0], TypeError), (0, [1.5], TypeError)],
)
def test_a_seed_or_an_index_that_is_no_whole_number_is_refused(seed, indices, error):
    with pytest.raises(error):
        Each(seed, indices)


def test_indices_may_be_a_tensor():
    assert Each(0, torch.tensor([2, 5])).indices == (2, 5)


def test_the_global_generators_are_left_alone():
    before = torch.get_rng_state()
    everything(Each(1, range(5)), range(5))
    assert torch.equal(before, torch.get_rng_state())


# plain generators and parts of a batch ----------------------------------------------------------------------------------


def test_a_plain_generator_draws_starts_as_torch_does_for_a_whole_batch():
    """Sampling runs with plain generators, and training, keep their numbers: written out as they were before `Each`."""
    g, h = seeded(11), seeded(11)
    gaussians = SOURCE.gaussians
    u, v = torch.randn(N, 7, generator=g), torch.randn(N, 16, generator=g)
    x = gaussians.means[Y] + gaussians.floors[Y, None] * v
    for row in Y.unique():
        x[Y == row] += u[Y == row] @ gaussians.factors[row].T
    assert torch.equal(draw("class-gaussian", SOURCE, Y, h), x.view(-1, *SHAPE).clamp(0, 1))
    assert torch.equal(draw("uniform", SOURCE, Y, h), torch.rand(N, *SHAPE, generator=g))
    picks = torch.randint(len(SOURCE.images), (N,), generator=g)
    assert torch.equal(draw("data", SOURCE, Y, h), SOURCE.images[picks].float() / 255)
    assert torch.equal(randn((3, 2), generator=h), torch.randn(3, 2, generator=g))
    assert torch.equal(rand((3, 2), generator=h), torch.rand(3, 2, generator=g))


def test_a_part_draws_for_the_whole_batch_and_keeps_its_own():
    whole = [make((6, 3), generator=seeded(2)) for make in (rand, randn)]
    for rank in range(3):
        for make, expected in zip((rand, randn), whole, strict=True):
            part = Part("cpu", rank, 3, lambda rows: rows)
            part.manual_seed(2)
            assert torch.equal(make((2, 3), generator=part), expected[2 * rank : 2 * rank + 2])


def test_starts_do_not_rest_on_the_default_dtype():
    x = [draw(name, SOURCE, Y, seeded(1)) for name in STARTS]
    torch.set_default_dtype(torch.float64)
    try:
        y = [draw(name, SOURCE, Y, seeded(1)) for name in STARTS]
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(a.dtype is torch.float32 and torch.equal(a, b) for a, b in zip(x, y, strict=True))


# attacks -----------------------------------------------------------------------------------------------------------------


def test_which_images_withstand_an_attack_does_not_depend_on_chunks():
    net = toy_classifier()
    x = torch.rand(60, *SHAPE, generator=seeded(9), dtype=torch.float64)
    y, dyn = net(x).argmax(1), threat("pgd", "linf", 0.08, 1, 0.02)

    def kept(size):
        return torch.cat(list(correct_under("pgd", net, x, y, dyn, size=size, restarts=3, generator=Each(2, range(60)))))

    assert torch.equal(kept(60), kept(7)) and torch.equal(kept(60), kept(1)) and 0 < kept(60).sum() < 60
    whole = perturb("pgd", net, x, y, dyn, generator=Each(2, range(60)))
    alone = perturb("pgd", net, x[5:6], y[5:6], dyn, generator=Each(2, [5]))
    torch.testing.assert_close(whole[5:6], alone, rtol=0, atol=1e-12)
