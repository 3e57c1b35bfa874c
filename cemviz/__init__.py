"""cemviz: adversarial training as energy-based modelling, implemented and made visible.

Three works read an adversarially trained classifier as an energy-based model: CEM (Wang et al., ICLR 2022), JEAT (Zhu et al.,
ICCV 2021) and Yin's dissertation on binary adversarial training (University of Virginia, 2022).  Read `energies` and
`dynamics` first: the rest is tables.

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

__version__ = "0.1.0"
