"""Words of the playground: explanations, what moved, the numbers beside the plane, and the Python of a game."""

from collections.abc import Callable, Collection

from ...backend import script
from ...backend.beside import DIFFERENCES, NONE, beside
from ...backend.frame import View
from ...backend.presets import PLAY
from ...backend.requests import ALGORITHMS, PlayRequest
from ...data.named import p0, p_data
from ...dynamics import Diverged
from ...metrics.game import LOG4, Standing
from ...training.game import Rules
from ..numbers import minus

FRESH = "**A fresh net:** no move yet. Play, or make the first attack."
PAINTED = "**p_data is what you painted:** a fresh net, no move yet. Play, or paint on."
PLACED = "**p₀ starts elsewhere:** a fresh net, no move yet. Play, or drag on."
SETTLED = "**Settled:** {} turns were played beforehand. Scrub back to see how; Play goes on from what is shown."
LOOKED = "**Turn {} of {}.** Play goes on from here."
OPENED = "**{} turns were played to start with.** Play goes on from here; Reset shows the fresh net."
ENOUGH = "**Stopped after {} turns.** Press Play to go on."
PAUSED = "**Paused** at turn {}."

CHANGED = {
    "data": "p_data", "p0": "p₀", "rule": "rule", "steps": "K", "step": "λ", "inner": "inner updates", "lr": "learning rate",
}  # fmt: skip
"""Rules that have a control -> how a change of one is told."""

TITLES: dict[str, Callable[[str], str]] = {
    "data": lambda name: p_data(name).title, "p0": lambda name: p0(name).title, "rule": ALGORITHMS.__getitem__,
}  # fmt: skip
"""Rules whose values have names -> the title of one."""

IN_SCRIPT = ("data", "p0")
"""Rules that the Python of a game says."""

FIGURES_CSS = """
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 8px; margin: 0 }
div { padding: 8px 10px; border: 1px solid var(--cem-border); border-radius: 8px; background: var(--cem-surface) }
dt { color: var(--cem-muted); font-size: 12px; line-height: 1.3 }
dd { margin: 2px 0 0; color: var(--cem-ink); font-size: 12px; line-height: 1.3 }
dd i { color: var(--cem-muted); font-size: 12px; font-style: normal }
dd b { display: block; font-size: 18px; font-weight: 700; font-variant-numeric: tabular-nums }
"""

HOW = """**How to read it.** Two players share one payoff, U = E log D(x) over p_data + E log(1 − D(x)) over p_T. The points of
p₀ (crosses) climb f, the logit of D = sigmoid(f), and become p_T (diamonds): that lowers U. The net then raises U: D up on
p_data (dots), down on p_T. In the words of adversarial training the attack maximises the net's loss, and the net minimises it.

* **Algorithm 1, maximin** (thesis 2.4.2). Each turn: fresh draws of p₀, K steps of length λ, one update of D. A false maximum
that an attack finds is pushed down; one that no p₀ point reaches survives: it is *spurious*. At the solution D is ½ on the
support of p_data and at most ½ outside, and U = −log 4.
* **Algorithm 2, minimax** (thesis 2.4.4; a GAN without a generator net). D converges first, then every kept point takes one
step: p_T ends at p_data. With D optimal, (U + log 4)/2 is the Jensen-Shannon divergence of p_T and p_data, from 0 to
log 2 = .693. Where neither of the two is, D means nothing.

* **The EBM objective** (2.2) raises E f(p_data) − E f(p_T). Its gradient is that of (2.11) without the scales 1 − D and D of
(2.18), which keep U finite: an attack that cannot reach p_data lets it diverge (thesis 2.5.6). With Langevin dynamics (2.3),
which sample exp f, it is maximum likelihood and learns the density; binary adversarial training learns the support alone.

* **By hand.** *Paint p_data*: the more strokes lie over a place, the likelier it is (three count). *Drag p₀* by its middle, or
wider and narrower by its edge; it stays in the box. Both begin a new game, and both are in the link.

Points move along ∇f: the thesis writes ∇D, which has the same direction but underflows where D is near 0 or 1. **All numbers
are our choice** (net, K, λ, updates, learning rate, points, scales): the thesis gives none for its figures 2.1 and 2.2. The
support is the level set that holds 99 % of p_data; U is measured on the points in play, the energy distance against fresh
draws. At most 300 points of a kind and 64 paths are drawn."""


def changes(preset: str, rules: Rules, but: Collection[str] = ()) -> str:
    """Changes by the visitor since the preset was chosen, those of some rules left out; empty where there are none."""
    usual = PLAY[preset].rules
    return ", ".join(
        f"{name} {_plain(key, rules)}"
        for key, name in CHANGED.items()
        if key not in but and getattr(rules, key) != getattr(usual, key)
    )


def _plain(key: str, rules: Rules) -> str:
    value = getattr(rules, key)
    return TITLES[key](value) if key in TITLES else f"{value:g}"


def story(preset: str, rules: Rules) -> str:
    """Story of the preset: what to look for, and what was changed."""
    changed = changes(preset, rules)
    return PLAY[preset].story + (f"\n\n*Changed since:* {changed}." if changed else "")


def listing(preset: str, rules: Rules, seed: int) -> str:
    """The Python and the command line that play the preset, and what the page has changed of it."""
    changed, usual = changes(preset, rules, IN_SCRIPT), PLAY[preset].rules
    numbers = {name: getattr(rules, name) for name in IN_SCRIPT if getattr(rules, name) != getattr(usual, name)}
    return script.listing(PlayRequest(preset, seed=seed, **numbers)) + (
        f"\n\n# not in it, changed on the page: {changed}" if changed else ""
    )


def second(rules: Rules, difference: str) -> str:
    """Sentence on the game beside this one; empty where there is none."""
    if difference == NONE:
        return ""
    same = " That is this game's own: the two are the same." if beside(rules, difference) == rules else ""
    return f"\n\n**B, beside it:** the same net, seed and rules, but {DIFFERENCES[difference]}.{same}"


Game = tuple[int, int, Standing, Rules]
"""Turn, updates of D, how the game stands, and its rules."""


def figures(*games: Game) -> str:
    """The numbers beside the plane, with units; of two games those of both."""
    tiles: dict[str, list[tuple[str, str]]] = {}
    for k, game in enumerate(games):
        for name, value, unit in _tiles(*game):
            tiles.setdefault(name, [("–", unit)] * k).append((value, unit))
    rows = ""
    for name, values in tiles.items():
        values += [("–", values[0][1])] * (len(games) - len(values))
        numbers = "".join(f"<b>{value}</b>" if len(games) == 1 else f"<b><i>{who}</i> {value}</b>" for who, (value, _) in
                          zip("AB", values, strict=False))  # fmt: skip
        rows += f"<div><dt>{name}</dt><dd>{numbers}{values[0][1] if len(games) == 1 else ''}</dd></div>"
    return f"<dl>{rows}</dl>"


def _tiles(turn: int, updates: int, stands: Standing, rules: Rules) -> list[tuple[str, str, str]]:
    """Name, value and unit of each number."""
    scales = f"{stands.scale_data:.2f} / {stands.scale_moved:.2f}"
    if rules.objective == "likelihood":
        tiles = [
            ("gap, E f(p_data) − E f(p_T)", minus(f"{stands.gap:.3g}"), "what D raises (2.2); 0 where the two match"),
            ("scales of the gradient", "1 / 1", f"whatever f; by (2.18) they were {scales}"),
            ("total variation", f"{stands.variation:.3f}", "of exp f / Z and p_data; 0 for equal densities"),
            ("payoff U(D, p_T)", minus(f"{stands.U:.3g}"), "nats; not what D raises here"),
        ]
    else:
        js = minus(f"{(stands.U + LOG4) / 2:.3f}")
        tiles = [
            ("payoff U(D, p_T)", minus(f"{stands.U:.3f}"), f"nats; −log 4 = {minus(f'{-LOG4:.3f}')}"),
            ("Jensen-Shannon, (U + log 4)/2", js, "nats; 0 to .693, if D is optimal")
            if rules.rule == "minimax"
            else ("scales of the gradient", scales, "1 − D on p_data, D on p_T (2.18); ½ each at the solution"),
            ("mean D on the support", f"{stands.D_support:.3f}", "½ at the solution"),
            ("spurious maxima", f"{stands.spurious:.1%}", "of the outside area, D > .51"),
        ]
    first = ("turn", f"{turn}", f"{_counted(updates, 'update')} of D")
    last = ("energy distance, p_T to p_data", f"{stands.distance:.3f}", "0 for equal laws")
    return [first, *tiles, last]


def diverged(rules: Rules, fault: Diverged) -> str:
    """Sentence on a game that the guard ended, and why."""
    if rules.objective == "logistic":
        return f"**Stopped by the guard:** {fault}."
    return (
        f"**Stopped by the guard:** {str(fault).split(';')[0]}. The objective (2.2) weighs both terms of the gradient by 1, "
        "however far f has gone; those of (2.18) are weighed by 1 − D on p_data and by D on p_T, which vanish once D tells the "
        "two apart. An attack that reaches p_data (K 20, λ .2) keeps it finite, and so do Langevin dynamics."
    )


def attacked(rules: Rules, turn: int) -> str:
    """Sentence on p_T's last move."""
    if rules.negatives == "langevin":
        return f"**p_T attacked:** {rules.count} fresh points of p₀ took {_langevin(rules)}."
    if rules.rule == "minimax":
        return f"**p_T attacked:** {rules.count} kept points climbed f by one step of {rules.dynamics(turn - 1).step:.3g}."
    return f"**p_T attacked:** {rules.count} fresh points of p₀ climbed f by {rules.steps} steps of {rules.step:g}."


def answered(rules: Rules, *views: View) -> str:
    """Sentence on D's last move, in one game or two."""
    name = "gap" if rules.objective == "likelihood" else "U"
    values = [minus(f"{getattr(view.stands, name):.3f}") for view in views]
    return f"**D answered:** {_updates(rules)}, {name} = {' in A, '.join(values)}{' in B' * (len(views) > 1)}."


def each_turn(rules: Rules) -> str:
    """Sentence on what both players do each turn."""
    if rules.negatives == "langevin":
        return (
            f"**Each turn:** {rules.count} fresh points of p₀ take {_langevin(rules)}, then D answers with {_updates(rules)}."
        )
    climb = "one step" if rules.rule == "minimax" else f"{rules.steps} steps of {rules.step:g}"
    who = "kept points" if rules.rule == "minimax" else "fresh points of p₀"
    return f"**Each turn:** {rules.count} {who} climb f by {climb}, then D answers with {_updates(rules)}."


def from_now(rules: Rules) -> str:
    """Sentence on what a change of numbers in the middle of a game means."""
    attack = f"one step of λ = {rules.step:g}" if rules.rule == "minimax" else f"K = {rules.steps}, λ = {rules.step:g}"
    return f"**From the next move on:** {attack}, {rules.inner} updates of D, learning rate {rules.lr:g}. The game goes on."


def _langevin(rules: Rules) -> str:
    return f"{rules.steps} Langevin steps of λ = {rules.step:g}"


def _updates(rules: Rules) -> str:
    return _counted(rules.inner, "update")


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
