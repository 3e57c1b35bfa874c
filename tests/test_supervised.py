"""Standard and adversarial training: their gradients, their limits, and what an attack must not touch."""

import copy

import pytest
import torch
from conftest import batchnorm_net, rand, seeded, toy_classifier
from torch import nn
from torch.nn import functional as F

from cemviz.attacks import perturb, threat
from cemviz.starts import near
from cemviz.training.supervised import adversarial, standard

X, Y = rand(6, 1, 8, 8), torch.arange(6) % 3


def gradients(net, terms):
    return torch.autograd.grad(sum(terms.values()), list(net.parameters()))


def assert_same(a, b, tol=1e-12):
    for p, q in zip(a, b, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=tol)


def test_standard_is_the_mean_cross_entropy():
    net = toy_classifier((1, 8, 8), 3)
    (loss,) = standard(net, (X, Y), 0.0).values()
    torch.testing.assert_close(loss, F.cross_entropy(net(X), Y))


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_gradient_of_adversarial_equals_a_literal_transcription(norm):
    """Algorithm: start in the ball, K steps up the cross-entropy in eval mode, projected; then the loss in train mode."""
    net, by_hand = batchnorm_net().train(), batchnorm_net().train()
    dyn = threat("pgd", norm, 0.2, 3, 0.1)
    ours = gradients(net, adversarial(dyn, generator=seeded(5))(net, (X, Y), 0.0))

    by_hand.eval()
    x = near(X, 0.2, norm, generator=seeded(5))
    for _ in range(3):
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(by_hand(x), Y, reduction="sum"), x)
        if norm == "linf":
            x = (X + (x + 0.1 * g.sign() - X).clamp(-0.2, 0.2)).clamp(0, 1)
        else:
            d = x + 0.1 * g / g.flatten(1).norm(dim=1).view(-1, 1, 1, 1) - X
            x = (X + d * (0.2 / d.flatten(1).norm(dim=1)).clamp(max=1).view(-1, 1, 1, 1)).clamp(0, 1)
    by_hand.train()
    literal = torch.autograd.grad(F.cross_entropy(by_hand(x.detach()), Y), list(by_hand.parameters()))
    assert_same(ours, literal, 1e-8)
    assert any((a - b).abs().max() > 1e-3 for a, b in zip(ours, gradients(net, standard(net, (X, Y), 0.0)), strict=True))


@pytest.mark.parametrize("dyn", [threat("pgd", "l2", 0.0, 5, 0.1), threat("pgd", "linf", 0.0, 0, 0.0)])
def test_radius_0_is_standard_training(dyn):
    net, other = batchnorm_net().train(), batchnorm_net().train()
    a = gradients(net, adversarial(dyn, generator=seeded())(net, (X, Y), 0.0))
    assert_same(a, gradients(other, standard(other, (X, Y), 0.0)))


def test_no_steps_without_a_random_start_is_standard_training():
    net, other = batchnorm_net().train(), batchnorm_net().train()
    a = gradients(net, adversarial(threat("fgsm", "linf", 0.2, 0), attack="fgsm")(net, (X, Y), 0.0))
    assert_same(a, gradients(other, standard(other, (X, Y), 0.0)))


def test_the_adversarial_loss_is_above_the_standard_loss():
    net = batchnorm_net().eval()
    (adv,) = adversarial(threat("pgd", "l2", 0.5, 5), generator=seeded())(net, (X, Y), 0.0).values()
    (clean,) = standard(net, (X, Y), 0.0).values()
    assert adv > clean + 0.01


def test_batchnorm_statistics_move_once_by_the_adversarial_batch_and_not_by_the_attack():
    net = batchnorm_net().train()
    seen = []
    net.register_forward_pre_hook(lambda m, args: seen.append((m.training, args[0].detach().clone())))
    twin = copy.deepcopy(batchnorm_net()).train()
    adversarial(threat("pgd", "l2", 0.5, 4), generator=seeded())(net, (X, Y), 0.0)
    assert [mode for mode, _ in seen] == [False] * 4 + [True]  # attacked in eval mode, trained in train mode
    assert net[1].num_batches_tracked == 1
    twin(seen[-1][1])
    assert torch.equal(net[1].running_mean, twin[1].running_mean) and torch.equal(net[1].running_var, twin[1].running_var)


@pytest.mark.parametrize("training", [True, False])
def test_the_nets_mode_is_restored_and_the_global_random_state_untouched(training):
    net, before = batchnorm_net().train(training), torch.get_rng_state()
    adversarial(threat("pgd", "linf", 0.1, 2), generator=seeded())(net, (X, Y), 0.0)
    assert all(m.training == training for m in net.modules()) and torch.equal(torch.get_rng_state(), before)


def test_the_attack_adds_nothing_to_the_weights_gradients():
    net = batchnorm_net().train()
    adversarial(threat("pgd", "linf", 0.1, 2), generator=seeded())(net, (X, Y), 0.0)
    assert all(p.grad is None for p in net.parameters())


def test_adversarial_training_makes_a_net_robust_where_standard_training_does_not():
    """Two features: a big one, and many tiny ones that predict better but fall to a small L-inf ball."""
    n, g = 256, seeded(1)
    y = torch.arange(n) % 2
    sign = (2.0 * y - 1)[:, None]
    strong = 0.5 + 0.25 * sign * torch.where(torch.rand(n, 1, generator=g) < 0.95, 1.0, -1.0)
    weak = 0.5 + 0.05 * sign + 0.05 * torch.randn(n, 200, generator=g)
    x = torch.cat([strong, weak], 1).double().clamp(0, 1)
    dyn, robust = threat("pgd", "linf", 0.1, 3), {}
    for name, objective in {"standard": standard, "adversarial": adversarial(dyn, generator=seeded(2))}.items():
        net = nn.Linear(201, 2, device="meta").to_empty(device="cpu").double()
        nn.init.zeros_(net.weight), nn.init.zeros_(net.bias)
        optimizer = torch.optim.Adam(net.parameters(), 0.05)
        for _ in range(100):
            optimizer.zero_grad()
            sum(objective(net, (x, y), 0.0).values()).backward()
            optimizer.step()
        attacked = perturb("pgd", net, x, y, threat("pgd", "linf", 0.1, 10), generator=seeded(3))
        robust[name] = (net(attacked).argmax(1) == y).double().mean().item()
    assert robust["adversarial"] > 0.85 and robust["standard"] < 0.5
