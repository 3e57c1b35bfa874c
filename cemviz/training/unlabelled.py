"""Recipes of encoders that learn without labels, and of the linear probes that read them: a part of `recipes.RECIPES`."""

from dataclasses import replace

from .recipe import Recipe, scales

OURS = "our choice of net, views and schedule; "

FLAT = {"width": 16, "flat": 7, "projection": [64, 64]}
"""A probe reads the whole last map: of its mean, 64 numbers, a linear layer read .937 of MNIST after standard training."""

SIMCLR = Recipe(
    "MNIST, SimCLR", "mnist", "contrastive", "encoder", FLAT, 400, 128, 3e-3,
    OURS + "CEM (17), Chen et al. 2020",
    objective_args={"views": "digits"}, kind="encoder", radius=1.5,
)  # fmt: skip
EASED = {"views": "digits", "ease": 0.4}
"""At full strength from the first update on, L∞ .2 left the loss at that of chance."""

UAT = replace(
    SIMCLR, title="MNIST, UAT (A2A, L2 radius 1.5)", objective="a2a", attack_steps=3, attack_step=0.75,
    objective_args=EASED,
    source=OURS + "CEM (20), (22); ACL (A2A); L2 radius 1.5 on MNIST, and an attack that grows to it, are our choice",
)  # fmt: skip
A2S = replace(
    UAT, title="MNIST, UAT (A2S, L2 radius 1.5)", objective="a2s", net_args=FLAT | {"norm": "double"},
    source=OURS + "CEM (20), (32); ACL (A2S)",
)  # fmt: skip
UAT_LINF = replace(
    UAT, title="MNIST, UAT (A2A, L∞ .2)", norm="linf", radius=0.2, attack_steps=4, attack_step=0.07,
    source=OURS + "CEM A.2; L∞ .2 on MNIST is our choice",
)  # fmt: skip
UCR = replace(
    UAT_LINF, title="MNIST, UAT+UCR (L∞ .2)", objective_args=EASED | {"weight": 0.1},
    source=OURS + "CEM (26); its weight is our choice",
)  # fmt: skip

RESNET = {"trunk": "resnet18", "width": 12}
"""395,000 weights, which a probe holds once more."""

GROWN = {"views": "colour", "ease": 0.3}
CIFAR_SIMCLR = replace(
    SIMCLR, title="CIFAR-10, SimCLR", data="cifar10", net_args={"width": 16, "depth": 3}, objective_args={"views": "colour"},
    steps=500, radius=0.5,
)  # fmt: skip
CIFAR_UAT = replace(
    CIFAR_SIMCLR, title="CIFAR-10, UAT (A2A, L2 .5)", objective="a2a", attack_steps=3, attack_step=0.25,
    source=OURS + "CEM (20), (22); ACL (A2A)",
)  # fmt: skip
CIFAR_A2S = replace(
    CIFAR_UAT, title="CIFAR-10, UAT (A2S, L2 .5)", objective="a2s", net_args=CIFAR_UAT.net_args | {"norm": "double"},
    source=A2S.source,
)  # fmt: skip
CIFAR_UCR = replace(
    CIFAR_UAT, title="CIFAR-10, UAT+UCR (L∞ 8/255)", norm="linf", radius=8 / 255, attack_steps=4, attack_step=3 / 255,
    objective_args={"views": "colour", "weight": 0.1}, source=UCR.source,
)  # fmt: skip

PAPER_UAT = replace(
    CIFAR_UAT, title="CIFAR-10, UAT (A2A): CEM C.1", net_args={"trunk": "resnet18", "projection": [512, 512, 128]},
    steps=1000 * (50_000 // 512), batch=512, optimizer="lars", lr=1.0, weight_decay=1e-6,
    schedule="warm-up of 10 in 1000, cosine", clip=float("inf"), attack_steps=7, attack_step=0.1,
    source="CEM C.1: ResNet-18, ACL (A2A), batch 512, 1000 epochs, base lr 1.0, 10 epochs of warm-up, cosine, L2 .5, 7 steps "
    "of .1; LARS, weight decay 1e-6 and τ .5 are ACL's code, whose head has BatchNorm and ours none",
)  # fmt: skip
PAPER_A2S = replace(
    PAPER_UAT, title="CIFAR-10, UAT (A2S): CEM C.1", objective="a2s",
    net_args=PAPER_UAT.net_args | {"trunk": "resnet50", "norm": "double"}, 
    source=PAPER_UAT.source.replace("18, ACL (A2A)", "50, ACL (A2S)"),
)  # fmt: skip
PAPER_UCR = replace(
    PAPER_UAT, title="CIFAR-10, UAT+UCR: CEM A.2", norm="linf", radius=8 / 255, attack_steps=10, attack_step=2 / 255,
    objective_args={"views": "colour", "weight": 0.1},
    source="CEM A.2: as C.1, with L∞ 8/255 and 10 steps of ε/4; (26) names no weight",
)  # fmt: skip


def probe(encoder: str, row: Recipe) -> dict[str, Recipe]:
    """The scales of a linear probe: standard training of the last layer on an encoder's frozen features.

    Args:
        encoder: name of the encoder.
        row: its recipe.
    Source: CEM A.2; the rate is our choice.  At 2e-2 the largest logit leads by 80 nats, the gradient of the cross-entropy
    underflows, and attacks on it fail: SimCLR's probe seemed to keep .871 under Auto-PGD at L2 1.5, of which .043 is true.
    """
    linear = replace(
        row, title=f"{row.title}: linear probe", kind="classifier", objective="standard", objective_args={}, net="small-resnet",
        net_args={}, steps=400, lr=2e-3, weight_decay=0.0, attack_steps=0, attack_step=0.0, optimizer="adamw",
        schedule="one-cycle", encoder=encoder, 
        source="CEM A.2: a linear layer on frozen features, standard training; number of updates and rate are our choice",
    )  # fmt: skip
    return scales(linear, evidence=400, shipped=800)


MNIST: dict[str, dict[str, Recipe]] = {
    "mnist-simclr": scales(SIMCLR, evidence=200, shipped=600),
    "mnist-uat": scales(UAT, evidence=200, shipped=600),
    "mnist-uat-a2s": scales(A2S, evidence=200, shipped=600),
    "mnist-uat-linf": scales(UAT_LINF, evidence=200, shipped=600),
    "mnist-uat-ucr": scales(UCR, evidence=200, shipped=600),
}
ACCELERATED = {"batch": 512, "lr": 2e-3, "average": 0.995}
"""Trains in six minutes on one GPU with --precision bf16, seven others beside it: the numbers of updates are what that held."""

CIFAR: dict[str, dict[str, Recipe]] = {
    "cifar10-simclr": scales(CIFAR_SIMCLR, evidence=200, shipped=2389, net_args=RESNET, **ACCELERATED),
    "cifar10-uat": scales(
        CIFAR_UAT, evidence=200, shipped=1761, net_args=RESNET, objective_args=GROWN, **ACCELERATED, paper=PAPER_UAT
    ),
    "cifar10-uat-a2s": scales(
        CIFAR_A2S, evidence=200, shipped=1792, net_args=RESNET | {"norm": "double"}, objective_args=GROWN, **ACCELERATED,
        paper=PAPER_A2S,
    ),
    "cifar10-uat-ucr": scales(
        CIFAR_UCR, evidence=200, shipped=1521, net_args=RESNET, objective_args=GROWN | {"weight": 0.1}, **ACCELERATED,
        paper=PAPER_UCR,
    ),
}  # fmt: skip
ENCODERS: dict[str, dict[str, Recipe]] = MNIST | CIFAR
ENCODERS |= {f"{name}-probe": probe(name, rows["laptop"]) for name, rows in ENCODERS.items()}
