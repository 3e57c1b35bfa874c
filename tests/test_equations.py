"""The table of equations: every check holds, on several nets, and stops holding where the code it watches is made wrong."""

import inspect
import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from cemviz import attacks, dynamics, energies, evasion, samplers
from cemviz.dynamics import Dynamics
from cemviz.equations import EQUATIONS, EXACT, Check, excess, gap, run
from cemviz.equations import detection as equations
from cemviz.metrics import detection as measures
from cemviz.metrics import fisher, game
from cemviz.nets.one_vs_rest import OneVsRest
from cemviz.training import contrastive, energy_based, supervised

KEYS = list(EQUATIONS)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("key", KEYS)
def test_the_equation_holds(key, seed):
    check = run(key, seed)
    assert check.holds, f"{check.left} and {check.right} differ by {check.difference:.1e}"
    assert 0 <= check.difference <= check.tolerance <= 1e-6
    assert check.parts and all(math.isfinite(value) for value in check.parts.values())


@pytest.mark.parametrize("key", KEYS)
def test_a_check_depends_on_its_seed_alone_and_spares_global_randomness(key):
    before = torch.get_rng_state()
    first, again, other = run(key, 3), run(key, 3), run(key, 4)
    assert first == again and torch.equal(torch.get_rng_state(), before)
    assert first.parts != other.parts or key == "jeat-10"  # its parts are the chain's own numbers


@pytest.mark.parametrize("key", KEYS)
def test_every_row_says_what_it_is_and_shows_the_source_of_its_function(key):
    row = EQUATIONS[key]
    assert row.paper in row.number and row.title and row.latex and "$" not in row.latex
    assert row.latex.count("{") == row.latex.count("}") and row.latex.count(r"\begin") == row.latex.count(r"\end")
    assert row.function.__module__.startswith("cemviz.") and not row.function.__module__.startswith("cemviz.equations")
    assert row.function.__name__ in inspect.getsource(row.function)
    assert "Check(" in inspect.getsource(row.check)


def test_every_paper_has_its_rows_and_an_unknown_one_is_refused():
    papers = Counter(row.paper for row in EQUATIONS.values())
    assert set(papers) == {"CEM", "JEAT", "thesis"} and min(papers.values()) >= 5
    with pytest.raises(KeyError, match="cem-12"):
        run("cem-99")


def test_the_tab_shows_every_equation_at_any_seed_and_marks_failures(monkeypatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    gr = pytest.importorskip("gradio")
    from cemviz.ui.equations import tab as tab_equations

    with gr.Blocks(analytics_enabled=False):
        draw, inputs, outputs = tab_equations.build(gr.State(), None, None).draw
    total, *cards = draw(5)
    assert len(inputs) == 1 and len(cards) == len(KEYS) and len(outputs) == len(KEYS) + 1
    assert f"**{len(KEYS)} of {len(KEYS)} equations hold** at seed 5" in total and all("✓ **holds**" in t for t in cards)
    for key, card in zip(tab_equations.ORDER, cards, strict=True):
        row, (formula, result, code) = EQUATIONS[key], card.split("</div>")
        assert f"$${row.latex}$$" in formula and row.number in formula and "~~~" not in tab_equations.source(key)
        assert "holds" in result and row.name in code and f"def {row.check.__name__}(" in code
        assert code not in tab_equations.card(key), "the page's document carries no code"
    broken = tab_equations.show(5, lambda seed: {key: replace(run(key, seed), difference=math.nan) for key in KEYS[:2]})
    assert "0 of 2" in broken[0] and EQUATIONS[KEYS[1]].number in broken[0] and "✗ **does not hold**" in broken[1]
    for seed in (None, -1, 1.5, 2**31):
        with pytest.raises(gr.Error, match="seed"):
            draw(seed)


# the comparison itself ------------------------------------------------------------------------------------------------


def test_gap_is_relative_to_the_largest_entry():
    a = torch.tensor([1.0, 100.0]).double()
    assert gap(a, a + torch.tensor([1.0, 0.0])) == pytest.approx(0.01)
    assert gap(torch.zeros(2), torch.full((2,), 0.5), scale=2.0) == 0.25


def test_two_vanishing_sides_nan_and_unequal_shapes_never_count_as_equal():
    zero, nan = torch.zeros(3), torch.tensor([0.0, math.nan, 1.0])
    assert gap(zero, zero) == gap(nan, nan) == gap(torch.ones(3), nan) == excess(math.nan, 1.0) == math.inf
    with pytest.raises(ValueError, match="shapes"):
        gap(torch.ones(3), torch.ones(3, 1))


def test_a_check_holds_up_to_its_tolerance_and_not_where_it_is_nan():
    assert Check("a", "b", EXACT, EXACT, {}).holds
    assert not Check("a", "b", 2 * EXACT, EXACT, {}).holds and not Check("a", "b", math.nan, EXACT, {}).holds


# mutants: each must turn at least these checks red --------------------------------------------------------------------


def flip(module, name):
    """The function of this name with its sign turned, in the module that looks it up."""
    original = getattr(module, name)
    return lambda patch: patch.setattr(module, name, lambda *args: -original(*args))


def swap(a, b):
    def mutate(patch):
        rows = samplers.SAMPLERS
        for key, other in ((a, rows[b]), (b, rows[a])):
            patch.setitem(rows, key, other)

    return mutate


def rewire(name, energy):
    return lambda patch: patch.setitem(attacks.ATTACKS, name, replace(attacks.ATTACKS[name], energy=energy))


def replaced(module, name, function):
    return lambda patch: patch.setattr(module, name, function)


def direction(name, function):
    return lambda patch: patch.setitem(dynamics.DIRECTIONS, name, function)


def half_payoff(d_data, d_moved):
    return game.F.logsigmoid(d_data).mean() + game.F.logsigmoid(d_moved).mean()


def narrow(steps, step, *, bounds=None):
    return Dynamics(steps, step, noise=math.sqrt(step), gradient="raw", bounds=bounds)


def infonce_against_nothing(z, other, refs):
    return energies.pair(z, other)


def crowding_without_itself(z):
    return (z @ z.T).fill_diagonal_(-math.inf).logsumexp(1)


def with_itself(z):
    return energies.infonce(z, z.roll(len(z) // 2, 0), z)


def trained_on_clean(dyn, **kwargs):
    return supervised.standard


def orders_swapped(patch):
    rows = dict(supervised.ORDERS)
    for key, other in (("cem", rows["published"]), ("published", rows["cem"])):
        patch.setitem(supervised.ORDERS, key, other)


def half_a_step(self, net, batch, progress):
    """Algorithm 1 without the first of its gradients' E(x_adv), so that nothing cancels."""
    terms = JOINT_ENERGY(self, net, batch, progress)
    return terms | {"cross-entropy": energies.joint(net(batch[0]), batch[1]).mean()}


JOINT_ENERGY = energy_based.JointEnergy.__call__


def second_moment(f, x):
    """The trace without the mean's square."""
    spread = SPREAD(f, x)
    return replace(spread, trace=spread.trace + spread.square)


def without_constants(self, x):
    return torch.cat([member(x) for member in self.members], 1)


AUC = measures.auc

SPREAD = fisher._spread_of_slopes


MUTANTS = {
    "the marginal's sign": (flip(energies, "marginal"), "cem-10 cem-15 jeat-13 jeat-20"),
    "the sign of the odds": (flip(energies, "odds"), "cem-8 cem-12 cem-13 cem-16 jeat-2 jeat-13"),
    "the joint energy's sign": (flip(energies, "joint"), "cem-3 cem-8 cem-10 cem-11 cem-12 cem-16 jeat-10 jeat-13"),
    "the binary energy's sign": (flip(energies, "binary"), "thesis-2.7 thesis-2.8"),
    "the pair energy's sign": (flip(energies, "pair"), "cem-17 cem-18 cem-20 cem-22 cem-21 cem-31 cem-22-a2a"),
    "the sign of the energy against references": (flip(energies, "against"), "cem-17 cem-18 cem-20 cem-22 cem-24 cem-31"),
    "InfoNCE without references": (
        replaced(energies, "infonce", infonce_against_nothing), "cem-17 cem-18 cem-20 cem-22 cem-31",
    ),
    "a view that is its own reference": (replaced(contrastive, "nt_xent", with_itself), "cem-22-a2a"),
    "crowding without the sample itself": (replaced(energies, "crowding", crowding_without_itself), "cem-24"),
    "samplers rcs and ta swapped": (swap("rcs", "ta"), "cem-6 cem-13 cem-15"),
    "samplers cs and langevin swapped": (swap("cs", "langevin"), "cem-9 cem-13 cem-14"),
    "samplers jeat16 and jeat17 swapped": (swap("jeat16", "jeat17"), "jeat-17"),
    "PGD descends the loss": (rewire("pgd", energies.conditional), "cem-8 jeat-3"),
    "FGSM descends the loss": (rewire("fgsm", energies.conditional), "jeat-2"),
    "the energy attack climbs the loss": (rewire("energy", attacks.ATTACKS["pgd"].energy), "jeat-18"),
    "no ball": (replaced(dynamics, "ball", lambda x, *_: x), "cem-6 jeat-3"),
    "no box": (replaced(dynamics, "box", lambda x, *_: x), "cem-6 jeat-2 jeat-3"),
    "Langevin noise too small": (replaced(Dynamics, "langevin", narrow), "cem-9 jeat-10"),
    "a unit step that is raw": (direction("unit", lambda g: g), "cem-6 thesis-2.7 thesis-2.8 thesis-3.8"),
    "a signed step that is not": (direction("sign", lambda g: g), "jeat-2 jeat-3 jeat-18 thesis-3.2"),
    "adversarial training on clean images": (replaced(supervised, "adversarial", trained_on_clean), "cem-11 cem-12"),
    "standard training on the joint energy": (
        replaced(supervised, "conditional", energies.joint), "cem-11 cem-12 cem-16",
    ),
    "TRADES' orders swapped": (orders_swapped, "cem-4.2"),
    "consistency of the marginal": (replaced(supervised, "joint", lambda f, y: energies.marginal(f)), "cem-25"),
    "JEAT that lets E(x_adv) stand": (replaced(energy_based.JointEnergy, "__call__", half_a_step), "jeat-19"),
    "JEAT's chains climb": (flip(energy_based, "marginal"), "jeat-19"),
    "a Fisher score of the second moment": (replaced(fisher, "_spread_of_slopes", second_moment), "jeat-24"),
    "the payoff's second term": (
        replaced(game, "utility", half_payoff), "thesis-2.15 thesis-2.18 thesis-2.18-data thesis-2.20",
    ),
    "a net a class without its constants": (replaced(OneVsRest, "forward", without_constants), "thesis-3.42"),
    "constants that are not learned": (replaced(equations, "calibrated", lambda d, y: 0 * d[0]), "thesis-3.43"),
    "the AUC of the other side": (replaced(measures, "auc", lambda a, b: 1 - AUC(a, b)), "thesis-3.28"),
    "the rival's sign": (flip(evasion, "rival"), "thesis-3.34 thesis-3.35"),
    "the payoff's sign": (flip(game, "utility"), "thesis-2.15 thesis-2.18 thesis-2.18-data thesis-2.20"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_turns_its_checks_red(name, monkeypatch):
    mutate, keys = MUTANTS[name]
    mutate(monkeypatch)
    survived = [key for key in keys.split() if run(key, 0).holds]
    assert not survived, f"'{name}' went unnoticed by {survived}"


def test_every_check_fails_on_some_mutant():
    watched = {key for _, keys in MUTANTS.values() for key in keys.split()}
    assert watched == set(KEYS)
