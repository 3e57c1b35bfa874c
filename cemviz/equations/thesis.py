"""The thesis: binary adversarial training, a game whose payoff has the gradient of an energy-based model, scaled."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from .. import dynamics, energies
from ..dynamics import Dynamics
from ..metrics import game
from ..training.game import Rules
from .cases import drawn_plane
from .check import EXACT, Check, Equation, cosine, doubles, excess, gap, norm
from .gradients import by_input, by_weights, each_by_weights


def ascent_direction(seed: int) -> Check:
    """A unit step of the package beside the normalised gradient of log(1 - D)."""
    plane = drawn_plane(seed)
    energy = energies.on(plane.net, energies.binary)
    left = dynamics.settle(energy, plane.moved, Dynamics(1, 1.0, bounds=None)) - plane.moved
    away = by_input(lambda x: torch.log(1 - torch.sigmoid(plane.net(x))), plane.moved)
    right = torch.stack([-g / g.square().sum().sqrt() for g in away])
    d = torch.sigmoid(plane.net(plane.moved)).detach()
    parts = {
        "smallest |∇ log(1 - D)|": dynamics.length(away).min().item(),
        "smallest D": d.min().item(),
        "largest D": d.max().item(),
    }
    return Check("a unit step up f", "-∇ log(1 - D) / |∇ log(1 - D)|", gap(left, right), EXACT, parts)


def travel(seed: int) -> Check:
    """The game's attack beside a loop, and the lengths of its steps beside their bound."""
    plane, rules = drawn_plane(seed), Rules(steps=12, step=0.2)
    x0 = plane.moved.clamp(-3, 3)
    states = list(dynamics.descend(energies.on(plane.net, energies.binary), x0, rules.dynamics(0)))
    apart = []
    for at, then in pairwise(states):
        g = by_input(plane.net, at.x)
        by_hand = torch.stack([p + 0.2 * s / s.square().sum().sqrt() for p, s in zip(at.x, g, strict=True)]).clamp(-3, 3)
        apart.append(gap(then.x - at.x, by_hand - at.x))
    longest = max(dynamics.length(then.x - at.x).max().item() for at, then in pairwise(states))
    far = dynamics.length(states[-1].x - x0).max().item()
    difference = max(*apart, excess(longest / 0.2, 1), excess(far / (0.2 * 12), 1))
    parts = {"longest step": longest, "λ": 0.2, "farthest |x_K - x_0|": far, "λK": 0.2 * 12}
    return Check("the game's attack, 12 steps", "each step by hand, none longer than λ", difference, EXACT, parts)


def proposition(seed: int) -> Check:
    """The payoff of constant and of random D beside the bounds in the proof of Proposition 1."""
    plane = drawn_plane(seed)
    shares = [i / 20 for i in range(1, 20)]
    logits = [torch.full((4,), math.log(a / (1 - a)), dtype=torch.float64) for a in shares]
    left = torch.stack([game.utility(d, d) for d in logits])
    right = doubles(math.log(a) + math.log(1 - a) for a in shares)
    solution = torch.stack([left.max(), game.utility(logits[9], logits[9])])  # the best constant D is 1/2
    d = plane.net(torch.cat([plane.data, plane.moved])).detach()  # these 12 points are the whole space
    u = game.utility(d[:6], d.max().expand(6)).item()  # p_T answers with all its mass where D is highest
    top = d.max().item()
    bound = -math.log1p(math.exp(-top)) - math.log1p(math.exp(top))  # log alpha + log(1 - alpha), alpha = sigma(top)
    equal = max(gap(left, right), gap(solution, torch.full_like(solution, -math.log(4))))
    difference = max(equal, excess(u, bound), excess(bound, -math.log(4)))
    parts = {"-log 4": -math.log(4), "U where D is 1/2": solution[1].item(), "U of a random D": u, "its bound": bound}
    return Check("U of constant D", "log α + log(1 - α), -log 4 at ½", difference, EXACT, parts)


def scalars_one_by_one(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Weight gradient of f at each point, and sigma(f) = 1 / (1 + e^-f): (n, P), (n, 1)."""
    f = net(x)
    return each_by_weights(f[:, 0], net), (1 / (1 + (-f).exp())).detach()


def scaled_gradients(seed: int) -> Check:
    """Autograd through the payoff beside each point's gradient times its scalar."""
    plane = drawn_plane(seed)
    left = by_weights(game.utility(plane.net(plane.data), plane.net(plane.moved)), plane.net)
    (up, s_up), (down, s_down) = (scalars_one_by_one(plane.net, x) for x in (plane.data, plane.moved))
    right = ((1 - s_up) * up).mean(0) - (s_down * down).mean(0)
    parts = {"mean 1 - σ on data": (1 - s_up).mean().item(), "mean σ on p_T": s_down.mean().item()}
    parts |= {"cos with the EBM gradient (2.2)": cosine(right, up.mean(0) - down.mean(0))}
    return Check("∇ J(D) (autograd)", "σ-scaled gradients", gap(left, right), EXACT, parts)


def stationary(seed: int) -> Check:
    """The payoff's gradient where p_T has become p_data: at a random f, and at f = 0."""
    plane = drawn_plane(seed)
    left = by_weights(game.utility(plane.net(plane.data), plane.net(plane.data)), plane.net)
    slopes, s = scalars_one_by_one(plane.net, plane.data)
    generic = gap(left, ((1 - 2 * s) * slopes).mean(0))
    half = drawn_plane(seed).net
    with torch.no_grad():
        half[-1].weight.zero_(), half[-1].bias.zero_()  # f = 0 everywhere, and grad f is not
    at_half = by_weights(game.utility(half(plane.data), half(plane.data)), half)
    scale = norm(scalars_one_by_one(half, plane.data)[0].mean(0))
    parts = {"|gradient| at a random f": norm(left), "where f is 0": norm(at_half), "|E ∇f| there": scale}
    difference = max(generic, gap(at_half, torch.zeros_like(at_half), scale))
    return Check("∇ J with p_T = p_data", "E[(1 - 2σ) ∇f], 0 where σ = ½", difference, EXACT, parts)


def divergence(seed: int) -> Check:
    """The payoff at the best D of two known laws beside their Jensen-Shannon divergence."""
    g = torch.Generator().manual_seed(seed)
    real, fake = (torch.cat([torch.randint(1, 9, (5,), generator=g), torch.tensor([1])]) for _ in range(2))
    p, q = real.double() / real.sum(), fake.double() / fake.sum()
    best = (p / q).log()  # D* = p / (p + q)

    def payoff(d: Tensor) -> Tensor:  # each point as often as its law says
        return game.utility(d.repeat_interleave(real), d.repeat_interleave(fake))

    d = best.clone().requires_grad_()
    u = payoff(d)
    (slope,) = torch.autograd.grad(u, d)
    middle = (p + q) / 2
    jsd = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
    other = payoff(best + torch.randn(6, generator=g, dtype=torch.float64)).item()
    difference = max(gap((u.detach() + math.log(4)) / 2, jsd), gap(slope, torch.zeros_like(slope), 1.0))
    parts = {"JSD, nats": jsd.item(), "U at D*": u.item(), "U at another D": other}
    return Check("(U(D*, p_g) + log 4) / 2", "JSD of two known laws", difference, EXACT, parts)


ROWS: dict[str, Equation] = {
    "thesis-2.7": Equation(
        "thesis", "thesis (2.6), (2.7)", "Minimising log(1 - D) is climbing f",
        r"-\frac{\nabla_x\log(1 - D(x))}{\|\nabla_x\log(1 - D(x))\|} = \frac{\nabla_x f(x)}{\|\nabla_x f(x)\|}",
        energies.binary, ascent_direction, "D = σ(f). The left side underflows where D is near 0, the right side does not.",
    ),
    "thesis-2.8": Equation(
        "thesis", "thesis (2.8)", "Ascent travels at most λK",
        r"\begin{aligned}x_{i+1} &= x_i + \lambda\frac{\nabla_x f(x_i)}{\|\nabla_x f(x_i)\|}\\"
        r" \|x_K - x_0\| &\le \lambda K\end{aligned}",
        Rules.dynamics, travel, "The page's game clamps to its box, which only shortens a step.",
    ),
    "thesis-2.15": Equation(
        "thesis", "thesis (2.12), (2.15)", "Proposition 1: the game's value is -log 4",
        r"\begin{aligned}U(D, p_T^*) &\le \log\alpha + \log(1 - \alpha) \le -\log 4,\\"
        r" \alpha &= \max D\end{aligned}",
        game.utility, proposition, "p_T answers a D with all its mass where D is highest; the bound is reached at D = ½.",
    ),
    "thesis-2.18": Equation(
        "thesis", "thesis (2.18)", "Binary adversarial training scales the EBM gradient",
        r"\begin{aligned}\nabla_\theta J &= \mathbb E_{p_{\text{data}}}[(1 - \sigma(f))\nabla_\theta f]\\"
        r" &- \mathbb E_{p_T^*}[\sigma(f)\nabla_\theta f]\end{aligned}",
        game.utility, scaled_gradients, "Without the two scalars it is the EBM gradient (2.2); the directions differ.",
    ),
    "thesis-2.18-data": Equation(
        "thesis", "thesis (2.18), remark", "Why it learns the support only",
        r"p_T = p_{\text{data}}:\quad \nabla_\theta J = \mathbb E[(1 - 2\sigma(f))\nabla_\theta f]",
        game.utility, stationary, "Where an EBM would stop, this goes on until σ(f) = ½ on the data.",
    ),
    "thesis-2.20": Equation(
        "thesis", "thesis (2.20)", "The minimax game measures a Jensen-Shannon divergence",
        r"U(D^*, p_g) = -\log 4 + 2\,\mathrm{JSD}(p_g\,\|\,p_{\text{data}})",
        game.utility, divergence,
        "D* = p_data / (p_data + p_g), the best answer to any p_g. Section 2.4.4 once says maximin where it means minimax.",
    ),
}  # fmt: skip
