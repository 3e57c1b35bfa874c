"""Identities between the energies, in float64."""

import math

import pytest
import torch
from conftest import randn, toy_classifier
from torch.nn import functional as F

from cemviz.energies import (
    against,
    binary,
    conditional,
    crowding,
    divergence,
    infonce,
    joint,
    marginal,
    negated,
    nt_xent,
    odds,
    on,
    pair,
    reinforced,
)

Y = torch.tensor([0, 3, 1, 2, 3])
LOGITS = 3 * randn(5, 4, seed=1)
Z, OTHER, REFS = randn(5, 6, seed=2), randn(5, 6, seed=3), randn(7, 6, seed=4)


def close(a, b, tol=1e-12):
    torch.testing.assert_close(a, b, rtol=0, atol=tol)


def test_joint_is_minus_the_label_logit():
    assert joint(LOGITS, Y).tolist() == [-LOGITS[i, y].item() for i, y in enumerate(Y.tolist())]


def test_marginal_is_minus_log_of_the_sum_of_exponentials():
    close(marginal(LOGITS), torch.tensor([-math.log(sum(map(math.exp, row))) for row in LOGITS.tolist()], dtype=torch.float64))


def test_odds_are_minus_the_logit_of_the_labels_probability():
    p = LOGITS.softmax(1).gather(1, Y[:, None])[:, 0]
    close(odds(LOGITS, Y), -torch.logit(p))


def test_a_confident_nets_loss_keeps_value_and_slope_in_single_precision():
    """Levels of dozens of nats, a margin of 13: as a difference of energies loss and label gradient would be 0."""

    def slopes(dtype):
        f = torch.tensor([[70.0, 57.0, 20.0], [-90.0, -40.0, -75.0]], dtype=dtype, requires_grad=True)
        loss = conditional(f, torch.tensor([0, 1]))
        return loss.detach().double(), torch.autograd.grad(loss.sum(), f)[0].double()

    for single, double in zip(slopes(torch.float32), slopes(torch.float64), strict=True):
        torch.testing.assert_close(single, double, rtol=1e-4, atol=1e-30)
    sure = torch.tensor([[1e4, 0.0], [-1e4, 0.0]])
    assert conditional(sure, torch.tensor([0, 0])).tolist() == [0.0, 1e4]


@pytest.mark.parametrize("views", [1, 2, 5])
def test_nt_xent_wants_pairs_and_something_to_tell_them_from(views):
    with pytest.raises(ValueError, match=f"there are {views} views; give two of each of at least 2 images"):
        nt_xent(randn(views, 3))


def test_conditional_is_joint_minus_marginal_and_is_cross_entropy():
    close(conditional(LOGITS, Y), joint(LOGITS, Y) - marginal(LOGITS))
    close(conditional(LOGITS, Y), F.cross_entropy(LOGITS, Y, reduction="none"))


def test_reinforced_is_joint_plus_marginal_not_minus():
    close(reinforced(LOGITS, Y), -LOGITS.gather(1, Y[:, None])[:, 0] - LOGITS.logsumexp(1))


def test_marginal_is_the_soft_minimum_of_the_joint_energies_over_labels():
    every = torch.stack([joint(LOGITS, torch.full_like(Y, c)) for c in range(4)])
    close(marginal(LOGITS), -(-every).logsumexp(0))


@pytest.mark.parametrize("energy", [joint, conditional, reinforced])
def test_energies_stay_finite_for_huge_logits(energy):
    assert energy(1e4 * LOGITS, Y).isfinite().all()


def test_gradients_add_up_rcs_is_cs_plus_marginal_ta_is_cs_minus_marginal():
    net, x = toy_classifier(seed=5), randn(5, 1, 4, 4, seed=6).requires_grad_()
    g = {}
    for name, energy in {
        "cs": on(net, joint, Y), "ta": on(net, conditional, Y), "rcs": on(net, reinforced, Y), "marginal": on(net, marginal)
    }.items():  # fmt: skip
        (g[name],) = torch.autograd.grad(energy(x).sum(), x)
    assert g["marginal"].norm() > 1e-2 and g["cs"].norm() > 1e-2
    close(g["rcs"], g["cs"] + g["marginal"])
    close(g["ta"], g["cs"] - g["marginal"])


def test_the_marginal_gradient_is_the_softmax_mean_of_the_joint_gradient():
    net, x = toy_classifier(seed=5), randn(1, 1, 4, 4, seed=6).requires_grad_()
    (whole,) = torch.autograd.grad(on(net, marginal)(x).sum(), x)
    p = net(x).softmax(1)[0].detach()
    parts = [torch.autograd.grad(on(net, joint, torch.tensor([c]))(x).sum(), x)[0] for c in range(4)]
    close(whole, sum(p[c] * parts[c] for c in range(4)))


def test_the_cross_entropy_gradient_is_minus_the_contrastive_joint_one():
    """CEM (11), (12): grad_theta CE = E_{p(y'|x)}[-grad E(x, y')] + grad E(x, y)."""
    net, x, y = toy_classifier(seed=7), randn(6, 1, 4, 4, seed=8), torch.tensor([0, 1, 2, 3, 0, 1])
    weights = list(net.parameters())
    loss = torch.autograd.grad(conditional(net(x), y).mean(), weights)
    p = net(x).softmax(1).detach()
    negatives = sum((p[:, c] * joint(net(x), torch.full_like(y, c))).mean() for c in range(4))
    contrastive = torch.autograd.grad(negatives - joint(net(x), y).mean(), weights)
    for a, b in zip(loss, contrastive, strict=True):
        close(a, -b)


def test_divergence_is_torchs_kl_with_the_second_prediction_for_the_target():
    other = 2 * randn(5, 4, seed=11)
    published = F.kl_div(F.log_softmax(LOGITS, dim=1), F.softmax(other, dim=1), reduction="batchmean")
    close(divergence(LOGITS, other).mean(), published)
    p, q = (a.softmax(1).tolist() for a in (other, LOGITS))
    slow = [sum(a * math.log(a / b) for a, b in zip(*rows, strict=True)) for rows in zip(p, q, strict=True)]
    close(divergence(LOGITS, other), torch.tensor(slow, dtype=torch.float64))


def test_divergence_is_flat_and_zero_on_agreement_and_positive_elsewhere():
    f = LOGITS.clone().requires_grad_()
    e = divergence(f, LOGITS + 7.0)  # a shift of all logits is the same prediction
    (slope,) = torch.autograd.grad(e.sum(), f)
    close(e.detach(), torch.zeros(5).double())
    close(slope, torch.zeros_like(slope))
    assert (divergence(LOGITS, LOGITS.roll(1, 1)) > 1e-3).all()


def test_divergence_stays_finite_with_its_gradient_for_huge_logits():
    f, other = (1e4 * LOGITS).requires_grad_(), (-1e4 * LOGITS).requires_grad_()
    e = divergence(f, other)
    assert e.isfinite().all() and all(g.isfinite().all() for g in torch.autograd.grad(e.sum(), [f, other]))


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_binary_is_minus_the_logit_and_flat(shape):
    d = LOGITS[:, 0].reshape(shape)
    assert binary(d).tolist() == (-LOGITS[:, 0]).tolist()


def test_pair_is_minus_the_inner_product_of_each_pair():
    close(pair(Z, OTHER), torch.stack([-torch.dot(a, b) for a, b in zip(Z, OTHER, strict=True)]))


def test_against_sums_exponentials_over_all_references():
    slow = [-math.log(sum(math.exp(float(z @ r)) for r in REFS)) for z in Z]
    close(against(Z, REFS), torch.tensor(slow, dtype=torch.float64))


def test_against_one_reference_is_pair():
    close(against(Z, REFS[:1]), pair(Z, REFS[:1].expand(5, 6)))


def test_infonce_is_pair_minus_against_and_cross_entropy_over_positives():
    close(infonce(Z, OTHER, REFS), pair(Z, OTHER) - against(Z, REFS))
    close(infonce(Z, OTHER, OTHER), F.cross_entropy(Z @ OTHER.T, torch.arange(5), reduction="none"))


def test_crowding_equals_a_double_loop_that_counts_the_sample_itself():
    slow = [math.log(sum(math.exp(float(Z[i] @ Z[j])) for j in range(5))) for i in range(5)]
    close(crowding(Z), torch.tensor(slow, dtype=torch.float64))


def test_descending_crowding_of_the_batch_spreads_unit_features():
    z = F.normalize(torch.tensor([[1.0, 0.1], [1.0, -0.1], [1.0, 0.3]]).double(), dim=1)
    before = z.mean(0).norm()
    for _ in range(50):
        z = z.detach().requires_grad_()
        (grad,) = torch.autograd.grad(crowding(F.normalize(z, dim=1)).sum(), z)
        z = F.normalize(z - 0.1 * grad, dim=1)
    assert z.mean(0).norm() < before - 0.3


@pytest.mark.parametrize(("energy", "given"), [(joint, (Y,)), (marginal, ()), (conditional, (Y,)), (pair, (OTHER[:, :4],))])
def test_negated_flips_the_sign_and_passes_what_is_given(energy, given):
    assert torch.equal(negated(energy)(LOGITS, *given), -energy(LOGITS, *given))


def test_on_evaluates_the_energy_of_the_nets_scores_at_the_input():
    net, x = toy_classifier(), randn(5, 1, 4, 4, seed=9)
    assert torch.equal(on(net, conditional, Y)(x), conditional(net(x), Y))
    assert torch.equal(on(net, marginal)(x), marginal(net(x)))
