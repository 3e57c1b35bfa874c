"""Recipes of binary nets, which tell data from p0 that an attack has moved: a part of `recipes.RECIPES`."""

from dataclasses import replace

from .recipe import Recipe, scales

OURS = "our choice of net, p0 and schedule; "

MNIST_BINARY = Recipe(
    "MNIST, binary (p₀: Gaussian of all images)", "mnist", "maximin", "small-cnn",
    {"width": 32, "hidden": 256, "outputs": 1}, 2500, 64, 5e-4,
    OURS + "thesis Algorithm 1 with what its published code does on CIFAR-10: data are attacked too (3 steps of .3; the code: "
    "5 of .1), and K grows while the AUC is above .6 (the code: .8).  Without the first digits stay broken, without the second "
    "f gets flat",
    objective_args={"auc_above": 0.6, "window": 20, "inside": 3, "inside_step": 0.3}, kind="binary", p0="gaussian",
    attack_steps=16, attack_step=1.0, optimizer="adam-game", weight_decay=0.0, average=0.995,
    schedule="warm-up, cosine over the second half",
)  # fmt: skip

MNIST_EBM = replace(
    MNIST_BINARY, title="MNIST, the EBM objective (2.2): it explodes", objective_args={"loss": "likelihood", "share": 0.0},
    attack_steps=6, clip=float("inf"),
    source=OURS + "thesis 2.5.6: E f on p0 less E f on data, with the attack of binary training; nothing bounds it, and the "
    "guard stops the run",
)  # fmt: skip
PER_K = 5 * (50_000 // 32)
PAPER = Recipe(
    "CIFAR-10, binary: thesis Table 2.3", "cifar10", "maximin", "resnet50", {"width": 64, "outputs": 1}, 26 * PER_K, 32, 5e-4,
    "thesis Table 2.3, Algorithm 3: ResNet-50, Adam β 0, .99, K 0 to 25, 5 epochs each (the table's 172K updates end at K 21), "
    "step .1, R1 .01; its p0, 80 million tiny images, is withdrawn: Tiny ImageNet in its place",
    objective_args={"share": 1.0, "r1": 0.01}, kind="binary", p0="tinyimagenet32", attack_steps=25, attack_step=0.1,
    optimizer="adam-game", weight_decay=0.0, schedule="constant", clip=float("inf"),
)  # fmt: skip
CODE = {"auc_above": 0.8, "inside": 5, "inside_step": 0.1, "r1": 0.01, "frozen": True}
PUBLISHED = replace(
    PAPER, title="CIFAR-10, binary: published code", objective_args=CODE,
    source="the thesis' published code, which differs from its text: K grows as soon as the mean AUC of 100 updates exceeds "
    ".8, data are attacked too, BatchNorm stays frozen; the rest is Table 2.3",
)  # fmt: skip
CIFAR_BINARY = replace(
    PAPER, title="CIFAR-10, binary (p₀: Tiny ImageNet)", net="small-resnet",
    net_args={"width": 32, "norm": "none", "activation": "silu", "flat": 8, "outputs": 1}, steps=1500, batch=128,
    objective_args={"auc_above": 0.6, "window": 20, "inside": 5, "inside_step": 0.1}, attack_steps=25, attack_step=0.2,
    schedule=MNIST_BINARY.schedule, average=0.995, clip=1.0,
    source=OURS + "thesis Algorithm 3 on Tiny ImageNet, with data attacked too, as its published code does",
)  # fmt: skip

BINARIES: dict[str, dict[str, Recipe]] = {
    "mnist-binary": scales(MNIST_BINARY, evidence=1500, shipped=4000),
    "mnist-binary-ebm": scales(MNIST_EBM, evidence=1500, shipped=4000),
    "cifar10-binary": scales(CIFAR_BINARY, evidence=600, shipped=3906, paper=PAPER),
    "cifar10-binary-code": scales(
        replace(CIFAR_BINARY, title=PUBLISHED.title, objective_args=CODE, source=OURS + PUBLISHED.source),
        evidence=600,
        shipped=3906,
        paper=PUBLISHED,
    ),
}
