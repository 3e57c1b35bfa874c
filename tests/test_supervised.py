"""The supervised objectives: their gradients, their limits, and what an attack must not touch."""

import copy

import pytest
import torch
from conftest import batchnorm_net, rand, seeded, toy_classifier
from torch import nn
from torch.nn import functional as F

from cemviz.attacks import perturb, threat
from cemviz.dynamics import Dynamics
from cemviz.starts import near
from cemviz.training.supervised import ORDERS, adversarial, consistent, noisy, standard, trades

X, Y = rand(6, 1, 8, 8), torch.arange(6) % 3
LINF = threat("pgd", "linf", 0.2, 3, 0.1)


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
    x = near(X, dyn, generator=seeded(5))
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


def test_batchnorm_moves_once_by_the_adversarial_batch_not_by_the_attack():
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


def test_adversarial_training_makes_a_net_robust_standard_does_not():
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
        attacked = perturb("pgd", net, x, y, threat("pgd", "linf", 0.1, 10), check=False, generator=seeded(3))
        robust[name] = (net(attacked).argmax(1) == y).double().mean().item()
    assert robust["adversarial"] > 0.85 and robust["standard"] < 0.5


# one image at a time, as the papers write it ---------------------------------------------------------------------------------


def toy(seed=0):
    return toy_classifier((1, 8, 8), 3, seed)


def images():
    return [(X[i : i + 1], Y[i : i + 1]) for i in range(len(X))]


def climb(score, x0, start):
    """K = 3 signed steps of .1 up a score of one image, clipped to the ball of .2 and to [0, 1]."""
    x = start
    for _ in range(3):
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(score(x).sum(), x)
        x = torch.max(torch.min(x.detach() + 0.1 * g.sign(), x0 + 0.2), x0 - 0.2).clamp(0, 1)
    return x.detach()


def literal(net, losses):
    """Gradient of the mean of one loss an image."""
    return torch.autograd.grad(sum(losses) / len(losses), list(net.parameters()))


def starts(seed):
    """Starts that the attacks draw: uniform in the ball."""
    return near(X, Dynamics(radius=0.2, norm="linf"), generator=seeded(seed))


def test_the_gradient_of_noisy_equals_a_literal_transcription():
    net, delta = toy(), torch.randn(X.shape, generator=seeded(5), dtype=X.dtype)
    ours = gradients(net, noisy(0.3, generator=seeded(5))(net, (X, Y), 0.0))
    assert_same(ours, literal(net, [F.cross_entropy(net(x + 0.3 * d), y) for (x, y), d in zip(images(), delta, strict=True)]))


def test_noise_is_gaussian_of_the_given_width_and_not_clamped():
    seen = []
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    net.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    x = torch.full((500, 1, 8, 8), 0.9)
    noisy(0.4, generator=seeded(1))(net, (x, torch.zeros(500, dtype=torch.long)), 0.0)
    delta = seen[0] - x
    assert delta.std().item() == pytest.approx(0.4, abs=0.01) and delta.mean().item() == pytest.approx(0, abs=0.01)
    assert (seen[0] > 1).float().mean().item() == pytest.approx(0.401, abs=0.01)  # P(.4 z > .1)


def test_sigma_0_is_standard_training():
    net = toy()
    ours = gradients(net, noisy(0.0, generator=seeded())(net, (X, Y), 0.0))
    assert_same(ours, gradients(net, standard(net, (X, Y), 0.0)))


def test_the_gradient_of_prejeat_equals_a_literal_transcription():
    """Adversarial examples by the energy attack, JEAT (18); then plain cross-entropy."""
    net = toy()
    ours = gradients(net, adversarial(LINF, attack="energy", generator=seeded(5))(net, (X, Y), 0.0))
    losses = []
    for (x, y), start in zip(images(), starts(5), strict=True):
        x_adv = climb(lambda at, y=y: -net(at)[0, y], x, start[None])
        losses.append(F.cross_entropy(net(x_adv), y))
    assert_same(ours, literal(net, losses), 1e-10)
    other = gradients(net, adversarial(LINF, generator=seeded(5))(net, (X, Y), 0.0))
    assert any((a - b).abs().max() > 1e-4 for a, b in zip(ours, other, strict=True))


@pytest.mark.parametrize("weight", [0.3, 2.0])
def test_the_gradient_of_consistent_equals_a_literal_transcription(weight):
    """CEM (25): the squared gap of the label's logit alone, both sides of it trained."""
    net = toy()
    terms = consistent(LINF, weight, generator=seeded(5))(net, (X, Y), 0.0)
    gaps, losses = [], []
    for (x, y), start in zip(images(), starts(5), strict=True):
        x_adv = climb(lambda at, y=y: F.cross_entropy(net(at), y), x, start[None])
        gaps.append((net(x)[0, y] - net(x_adv)[0, y]).squeeze() ** 2)
        losses.append(F.cross_entropy(net(x_adv), y) + weight * gaps[-1])
    assert terms["consistency"].item() == pytest.approx(weight * sum(gaps).item() / 6) and sum(gaps) > 0.1
    assert_same(gradients(net, terms), literal(net, losses), 1e-10)


def kl(log_p, log_q):
    """KL(p || q) class by class."""
    return sum(log_p[0, k].exp() * (log_p[0, k] - log_q[0, k]) for k in range(log_p.shape[1]))


def published(f, f_adv):
    return F.kl_div(F.log_softmax(f_adv, dim=1), F.softmax(f, dim=1), reduction="batchmean")


LITERAL = {"published": published, "cem": lambda f, f_adv: kl(f_adv.log_softmax(1), f.log_softmax(1))}


@pytest.mark.parametrize("order", ORDERS)
def test_the_gradient_of_trades_equals_a_literal_transcription(order):
    """Start at x + .001 randn, climb the divergence from the clean prediction, clip; CE(x) + weight * divergence."""
    net, inner = toy(), 0.1 + 0.8 * X  # away from the box, where the published start leaves it
    terms = trades(LINF, 3.0, order=order, generator=seeded(5))(net, (inner, Y), 0.0)
    noise = torch.randn(X.shape, generator=seeded(5), dtype=X.dtype)
    losses, apart = [], []
    for i in range(len(X)):
        x, y = inner[i : i + 1], Y[i : i + 1]
        x_adv = climb(lambda at, x=x: LITERAL[order](net(x).detach(), net(at)), x, x + 0.001 * noise[i])
        apart.append(LITERAL[order](net(x), net(x_adv)))
        losses.append(F.cross_entropy(net(x), y) + 3.0 * apart[-1])
    assert terms["divergence"].item() == pytest.approx(3.0 * sum(apart).item() / 6) and sum(apart) > 0.1
    assert_same(gradients(net, terms), literal(net, losses), 1e-9)


def test_trades_divergence_equals_its_published_formula_and_orders_differ():
    f = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]]).double()
    f_adv = torch.tensor([[0.0, 1.0, 0.0], [0.0, 3.0, 0.0]]).double()
    ours = {name: apart(f, f_adv).mean() for name, apart in ORDERS.items()}
    torch.testing.assert_close(ours["published"], published(f, f_adv), rtol=0, atol=1e-14)
    torch.testing.assert_close(ours["cem"], published(f_adv, f), rtol=0, atol=1e-14)
    assert (ours["published"] - ours["cem"]).abs() > 0.05


def test_pgd_equals_its_published_formula_on_a_linear_net():
    """X + U(-eps, eps); K times: + step sign(grad CE), eta clamped to eps, image to [0, 1]."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False, device="meta").to_empty(device="cpu").double())
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([[1.0, -2.0, 3.0, 0.5], [0.0, 1.0, 4.0, -1.0]]))
    x = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.05, 0.95, 0.05, 0.95]]).double().view(2, 1, 2, 2)
    seen = []
    net.register_forward_pre_hook(lambda m, args: seen.append(args[0].detach()))
    dyn = threat("pgd", "linf", 0.1, 10, 0.025)
    adversarial(dyn, generator=seeded(3))(net, (x, torch.tensor([0, 1])), 0.0)
    other = torch.tensor([[-1.0, 1.0, 1.0, -1.0], [1.0, -1.0, -1.0, 1.0]]).double().view(2, 1, 2, 2)  # sign(w_other - w_label)
    torch.testing.assert_close(seen[-1], (x + 0.1 * other).clamp(0, 1), rtol=0, atol=1e-12)
    torch.testing.assert_close(seen[0], near(x, dyn, generator=seeded(3)), rtol=0, atol=0)


def prejeat(g):
    return adversarial(LINF, attack="energy", generator=g)


@pytest.mark.parametrize(
    ("limit", "plain"),
    [
        (lambda g: consistent(LINF, 0.0, generator=g), lambda g: adversarial(LINF, generator=g)),
        (lambda g: consistent(LINF, 0.0, attack="energy", generator=g), prejeat),
        (lambda g: consistent(threat("pgd", "linf", 0.0, 2), 5.0, generator=g), lambda g: standard),
        (lambda g: trades(LINF, 0.0, generator=g), lambda g: standard),
        (lambda g: trades(threat("pgd", "linf", 0.0, 2), 5.0, generator=g), lambda g: standard),
    ],
    ids=["consistent, weight 0", "the same, energy attack", "consistent, radius 0", "trades, weight 0", "trades, radius 0"],
)  # fmt: skip
def test_weight_0_and_radius_0_are_the_simpler_objectives(limit, plain):
    net = toy()
    assert_same(gradients(net, limit(seeded(4))(net, (X, Y), 0.0)), gradients(net, plain(seeded(4))(net, (X, Y), 0.0)))


@pytest.mark.parametrize("make", [consistent, trades])
def test_weight_0_passes_one_batch_through_batchnorm(make):
    net = batchnorm_net().train()
    make(LINF, 0.0, generator=seeded(4))(net, (rand(6, 1, 8, 8), torch.arange(6) % 3), 0.0)
    assert net[1].num_batches_tracked == 1
    make(LINF, 1.0, generator=seeded(4))(net, (rand(6, 1, 8, 8), torch.arange(6) % 3), 0.0)
    assert net[1].num_batches_tracked == 3


def test_trades_without_steps_compares_with_the_jittered_images():
    net, seen = toy(), []
    net.register_forward_pre_hook(lambda m, args: seen.append(args[0].detach()))
    trades(threat("pgd", "linf", 0.2, 0), generator=seeded(6))(net, (X, Y), 0.0)
    jitter = 1e-3 * torch.randn(X.shape, generator=seeded(6), dtype=X.dtype)
    assert torch.equal(seen[-1], (X + jitter).clamp(0, 1)) and torch.equal(seen[-2], X)


@pytest.mark.parametrize(
    ("objective", "modes"),
    [
        (trades(LINF, generator=seeded()), [False] * 4 + [True] * 2),  # the clean prediction too is that of eval mode
        (consistent(LINF, 1.0, generator=seeded()), [False] * 3 + [True] * 2),
        (noisy(0.1, generator=seeded()), [True]),
    ],
    ids=["trades", "consistent", "noisy"],
)
def test_attacks_run_in_eval_mode_and_leave_modes_and_statistics_alone(objective, modes):
    net, seen, before = batchnorm_net().train(), [], torch.get_rng_state()
    net.register_forward_pre_hook(lambda m, args: seen.append(m.training))
    objective(net, (X, Y), 0.0)
    assert seen == modes and net[1].num_batches_tracked == sum(modes) and all(m.training for m in net.modules())
    assert all(p.grad is None for p in net.parameters()) and torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("bad", [-0.1, float("inf"), float("nan")])
def test_numbers_out_of_range_and_an_unknown_order_are_refused(bad):
    for make in (noisy, lambda w: consistent(LINF, w), lambda w: trades(LINF, w)):
        with pytest.raises(ValueError, match=rf"is {bad}; give a finite number of at least 0"):
            make(bad)
    with pytest.raises(ValueError, match="order is 'paper'; choose one of published, cem"):
        trades(LINF, order="paper")


@pytest.mark.parametrize(
    "objective",
    [
        noisy(0.1, generator=seeded(1)),
        adversarial(threat("energy", "linf", 0.1, 2), attack="energy", generator=seeded(1)),
        consistent(threat("pgd", "linf", 0.1, 2), 0.5, generator=seeded(1)),
        trades(threat("pgd", "linf", 0.1, 2), 3.0, generator=seeded(1)),
    ],
    ids=["noisy", "prejeat", "consistent", "trades"],
)
def test_each_learns_stripes(objective):
    """Class c has its c-th third bright: known after 60 updates, under attack as well as without."""
    y = torch.arange(60) % 3
    x = 0.3 * rand(60, 1, 6, 6, seed=1)
    for i, c in enumerate(y.tolist()):
        x[i, :, :, 2 * c : 2 * c + 2] += 0.5
    net = toy_classifier((1, 6, 6), 3, scale=1.0)
    optimizer = torch.optim.Adam(net.parameters(), 0.03)
    losses = []
    for _ in range(60):
        loss = sum(objective(net, (x, y), 0.0).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    attacked = perturb("pgd", net, x, y, threat("pgd", "linf", 0.1, 10), check=False, generator=seeded(3))
    assert losses[-1] < 0.3 * losses[0] and all((net(at).argmax(1) == y).double().mean() > 0.9 for at in (x, attacked))
