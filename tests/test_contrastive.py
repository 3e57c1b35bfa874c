"""Contrastive objectives: the loss by double loops, gradients by literal transcription, and what two BatchNorms keep apart."""

import math

import pytest
import torch
from conftest import rand, seeded
from torch import nn

from cemviz.data import views
from cemviz.dynamics import Dynamics
from cemviz.energies import infonce, nt_xent, repelled
from cemviz.nets.layers import DoubleNorm, through
from cemviz.starts import near
from cemviz.training.contrastive import _growing, adversarial_to_standard, all_adversarial, contrastive

X, Y = rand(5, 1, 8, 8), torch.zeros(5, dtype=torch.int64)
L2, LINF = Dynamics(3, 0.3, radius=0.6), Dynamics(3, 0.1, radius=0.2, norm="linf", gradient="sign")


class Unit(nn.Module):
    def forward(self, v):
        return v / v.norm(dim=1, keepdim=True) / 0.5**0.5


def net(norm: str = "batch") -> nn.Module:
    """An encoder in float64 with one or two BatchNorms, in train mode."""
    layer = DoubleNorm(4) if norm == "double" else nn.BatchNorm2d(4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 4, 3, 2), layer, nn.Tanh(), nn.Flatten(), nn.Linear(36, 3), Unit()).double()


def gradients(encoder, terms):
    return torch.autograd.grad(sum(terms.values()), list(encoder.parameters()), materialize_grads=True)


def assert_same(a, b, tol=1e-9):
    for p, q in zip(a, b, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=tol)


def drawn(seed: int = 7) -> tuple[torch.Tensor, torch.Generator]:
    """The two views that an objective with this seed draws, and the generator as it stands then."""
    generator = seeded(seed)
    return torch.cat([views.affine(X, generator), views.affine(X, generator)]), generator


def slow_nt_xent(z):
    """SimCLR's loss by loops over anchors and references."""
    n, losses = len(z) // 2, []
    for i in range(2 * n):
        other = i + n if i < n else i - n
        total = sum(math.exp(float(z[i] @ z[k])) for k in range(2 * n) if k != i)
        losses.append(-float(z[i] @ z[other]) + math.log(total))
    return torch.tensor(losses, dtype=torch.float64)


def test_nt_xent_equals_a_double_loop_that_leaves_out_the_view_itself():
    z = rand(8, 3, seed=2) * 2 - 1
    torch.testing.assert_close(nt_xent(z), slow_nt_xent(z))


def test_infonce_equals_a_double_loop_over_the_other_views():
    z, other = rand(4, 3, seed=2), rand(4, 3, seed=3)
    slow = [math.log(sum(math.exp(float(a @ b)) for b in other)) - float(a @ other[i]) for i, a in enumerate(z)]
    torch.testing.assert_close(infonce(z, other, other), torch.tensor(slow, dtype=torch.float64))


def test_repelled_is_infonce_upside_down_with_the_batch_for_references():
    z, anchor = rand(4, 3, seed=2), rand(4, 3, seed=3)
    torch.testing.assert_close(repelled(z, anchor), -infonce(z, anchor, z))


def test_standard_contrastive_training_is_nt_xent_of_two_views():
    encoder, (v, _) = net(), drawn()
    terms = contrastive(views.affine, generator=seeded(7))(encoder, (X, Y), 0.0)
    assert list(terms) == ["InfoNCE"]
    torch.testing.assert_close(terms["InfoNCE"].detach(), slow_nt_xent(net()(v).detach()).mean())


def test_labels_are_not_looked_at():
    a, b = (contrastive(views.affine, generator=seeded(7))(net(), (X, y), 0.0)["InfoNCE"] for y in (Y, Y + 1))
    assert torch.equal(a, b)


def climb(loss, v, x, dyn):
    """K steps up a loss by hand, projected on the ball around v and the box."""
    for _ in range(dyn.steps):
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(loss(x), x)
        if dyn.norm == "linf":
            x = (v + (x + dyn.step * g.sign() - v).clamp(-dyn.radius, dyn.radius)).clamp(0, 1)
        else:
            d = x + dyn.step * g / (g.flatten(1).norm(dim=1) + 1e-10).view(-1, 1, 1, 1) - v
            x = (v + d * (dyn.radius / (d.flatten(1).norm(dim=1) + 1e-10)).clamp(max=1).view(-1, 1, 1, 1)).clamp(0, 1)
    return x.detach()


@pytest.mark.parametrize("dyn", [L2, LINF], ids=["l2", "linf"])
@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_the_gradient_of_a2a_equals_a_literal_transcription(dyn, weight):
    """Both views start in their balls and climb their summed InfoNCE in eval mode; then the loss in train mode, and (26)."""
    encoder, by_hand = net(), net()
    ours = gradients(encoder, all_adversarial(dyn, views.affine, weight=weight, generator=seeded(7))(encoder, (X, Y), 0.0))

    def loss(z):
        n = len(z) // 2
        s = z @ z.T
        rows = [s[i, (i + n) % (2 * n)] - torch.cat([s[i, :i], s[i, i + 1 :]]).logsumexp(0) for i in range(2 * n)]
        return -torch.stack(rows)

    v, generator = drawn()
    by_hand.eval()
    v_adv = climb(lambda x: loss(by_hand(x)).sum(), v, near(v, dyn, generator=generator), dyn)
    by_hand.train()
    z_adv = by_hand(v_adv)
    total = loss(z_adv).mean()
    if weight:
        z, n = by_hand(v), len(v) // 2
        gaps = [(z[i] @ z[(i + n) % (2 * n)] - z_adv[i] @ z[(i + n) % (2 * n)]) ** 2 for i in range(2 * n)]
        total = total + weight * torch.stack(gaps).mean()
    assert_same(ours, torch.autograd.grad(total, list(by_hand.parameters())), 1e-8)
    plain = gradients(encoder, contrastive(views.affine, generator=seeded(7))(encoder, (X, Y), 0.0))
    assert any((a - b).abs().max() > 1e-3 for a, b in zip(ours, plain, strict=True))


@pytest.mark.parametrize("norm", ["batch", "double"])
def test_the_gradient_of_a2s_equals_a_literal_transcription(norm):
    """The first view climbs its InfoNCE against clean other views; the loss takes both, each through its own branch."""
    encoder, by_hand = net(norm), net(norm)
    ours = gradients(encoder, adversarial_to_standard(L2, views.affine, generator=seeded(7))(encoder, (X, Y), 0.0))

    def through_branch(branch, x):
        with through(by_hand, branch):
            return by_hand(x)

    def loss(z, refs):
        return torch.stack([(z[i] @ refs.T).logsumexp(0) - z[i] @ refs[i] for i in range(len(z))])

    both, generator = drawn()
    v, other = both.chunk(2)
    by_hand.eval()
    refs = through_branch("clean", other).detach()
    v_adv = climb(lambda x: loss(through_branch("adversarial", x), refs).sum(), v, near(v, L2, generator=generator), L2)
    by_hand.train()
    z, z_adv = through_branch("clean", other), through_branch("adversarial", v_adv)
    assert_same(ours, torch.autograd.grad(loss(z_adv, z).mean(), list(by_hand.parameters())), 1e-8)


def test_without_a_ball_a2a_is_standard_contrastive_training():
    a, b = net(), net()
    still = Dynamics(3, 0.0, radius=0.0)
    adversarial = all_adversarial(still, views.affine, weight=2.0, generator=seeded(7))(a, (X, Y), 0.0)
    assert adversarial["consistency"] < 1e-20
    torch.testing.assert_close(
        adversarial["adversarial InfoNCE"], contrastive(views.affine, generator=seeded(7))(b, (X, Y), 0.0)["InfoNCE"]
    )


@pytest.mark.parametrize("make", [all_adversarial, adversarial_to_standard])
def test_an_attack_raises_the_loss_and_leaves_mode_and_statistics_alone(make):
    clean = make(Dynamics(0, 0.0, radius=0.0), views.affine, generator=seeded(7))(net(), (X, Y), 0.0)["adversarial InfoNCE"]
    encoder = net()
    hurt = make(Dynamics(10, 0.5, radius=2.0), views.affine, generator=seeded(7))(encoder, (X, Y), 0.0)["adversarial InfoNCE"]
    assert hurt > clean + 0.05 and encoder.training and all(m.training for m in encoder.modules())
    passes = 1 if make is all_adversarial else 2  # one BatchNorm sees clean and adversarial views in turn
    assert next(m for m in encoder if isinstance(m, nn.BatchNorm2d)).num_batches_tracked == passes


def test_an_eased_attack_grows_from_nothing_to_its_own_radius():
    def terms(progress, **more):
        return all_adversarial(L2, views.affine, generator=seeded(7), **more)(net(), (X, Y), progress)["adversarial InfoNCE"]

    full = terms(0.9)
    torch.testing.assert_close(terms(0.5, ease=0.5), full)
    assert terms(0.0, ease=0.5) < terms(0.25, ease=0.5) < full
    torch.testing.assert_close(
        terms(0.0, ease=0.5), contrastive(views.affine, generator=seeded(7))(net(), (X, Y), 0.0)["InfoNCE"]
    )


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.1, 0.25), (0.4, 1.0), (0.9, 1.0)])
def test_an_eased_attack_s_steps_grow_with_its_radius(progress, share):
    grown = _growing(L2, 0.4)(progress)
    assert (grown.radius, grown.step) == pytest.approx((share * L2.radius, share * L2.step))


def test_two_batchnorms_never_mix_statistics():
    """Adversarial inputs shifted far away leave no trace in the clean statistics, and the other way round."""
    encoder = net("double")

    def shifted(x, generator=None):  # first view bright, second dark: the first one is attacked
        shifted.calls += 1
        return x * 0.2 + (0.75 if shifted.calls % 2 else 0.0)

    shifted.calls = 0
    goal = adversarial_to_standard(Dynamics(1, 0.01, radius=0.02), shifted, generator=seeded(0))
    for _ in range(60):
        goal(encoder, (X, Y), 0.0)
    bright, dark = X * 0.2 + 0.75, X * 0.2
    wanted = {"adversarial": encoder[0](bright), "clean": encoder[0](dark)}
    for branch, maps in wanted.items():
        norm, mean = encoder[1].norms[branch], maps.mean((0, 2, 3)).detach()
        torch.testing.assert_close(norm.running_mean, mean, rtol=0.02, atol=0.02)
        assert norm.num_batches_tracked == 60
    assert (encoder[1].norms["clean"].running_mean - encoder[1].norms["adversarial"].running_mean).abs().max() > 0.1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: all_adversarial(L2, views.affine, weight=-1.0), "weight is -1.0; give a finite number of at least 0"),
        (lambda: all_adversarial(L2, views.affine, weight=math.nan), "weight is nan"),
        (lambda: all_adversarial(L2, views.affine, ease=1.0), "ease is 1.0; give a share from 0 to below 1"),
        (lambda: adversarial_to_standard(L2, views.affine, ease=-0.1), "ease is -0.1"),
    ],
)
def test_numbers_out_of_range_are_refused_in_words(make, said):
    with pytest.raises(ValueError, match=said):
        make()
