"""cemviz: adversarial training as energy-based modelling, implemented and made visible.

Three works read an adversarially trained classifier as an energy-based model: CEM (Wang et al., ICLR 2022), JEAT (Zhu et al.,
ICCV 2021) and Yin's dissertation on binary adversarial training (University of Virginia, 2022).  Read `energies` and
`dynamics` first: the rest is tables.

    net, card = cemviz.load("mnist-at")
    *_, last = cemviz.sample("rcs", net, x0, y, generator=g)                    # or a Sampler(...) of your own
    x_adv = cemviz.perturb("pgd", net, x, y, cemviz.threat("pgd", card.norm, card.radius), generator=g)

| in the papers                     | here            | unit                                      |
|-----------------------------------|-----------------|-------------------------------------------|
| E(x, y), E(x), f(x, x')           | `energies`      | nats                                      |
| alpha; eta/2 (JEAT); lambda (thesis) | `step`       | length in the pixel range [0, 1]          |
| eta; sqrt(2 alpha)                | `noise`         | standard deviation per coordinate         |
| beta; eps of an attack            | `radius`        | length in `norm`                          |
| K, N                              | `steps`         | updates                                   |
| x_0, delta                        | `x0`, `starts`  | image in [0, 1]                           |
| f_theta(x), h(x)                  | logits `f`      | nats, (B, C)                              |
| g_theta(x)                        | features `z`    | (B, M)                                    |
| D = sigmoid(f_theta)              | binary logit `d` | nats, (B,)                               |
"""

from typing import Any

from . import energies
from .attacks import ATTACKS, Attack, attack, perturb, threat
from .dynamics import Dynamics
from .samplers import SAMPLERS, Sampler, sample

__all__ = [
    "ATTACKS", "SAMPLERS", "Attack", "Dynamics", "Sampler", "attack", "energies", "load", "perturb", "sample", "save", "threat",
]  # fmt: skip

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`load` and `save`, of `backend.store`: stored models stand above the theory, which does not wait for them."""
    if name in ("load", "save"):
        from .backend import store

        return getattr(store, name)
    raise AttributeError(f"module 'cemviz' has no attribute {name!r}")
