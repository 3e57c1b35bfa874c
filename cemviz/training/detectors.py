"""Recipes of chapter 3 of the dissertation: a binary net a class, and binary nets that stay low about p0.

A part of `recipes.RECIPES`.
"""

from dataclasses import replace

from .recipe import Recipe, scales

OURS = "our choice of net and schedule; "

MNIST_DETECTORS = Recipe(
    "MNIST, a net a class (L∞ .3)", "mnist", "each-vs-rest", "one-vs-rest", {"trunk": "small-cnn", "width": 48, "hidden": 8},
    6000, 640, 4e-3,
    OURS + "thesis (3.23), L∞ .3 as in its Table 3.1; ten sign steps of a quarter of the radius where it takes 100 of Adam, "
    "and the radius grows over the first third of the run",
    objective_args={"ease": 0.3}, kind="one-vs-rest", split="train-rest", norm="linf", radius=0.3, attack_steps=10,
    attack_step=0.075,
)  # fmt: skip
"""Ten nets of 30,000 weights; a tenth of the updates each."""

MNIST_L2 = replace(
    MNIST_DETECTORS, title="MNIST, a net a class (L2 2.5)", norm="l2", radius=2.5, attack_step=0.625,
    source=OURS + "thesis (3.23), L2 2.5 as in its Table 3.1; ten unit steps of a quarter of the radius where it takes 100 of "
    "Adam, and the radius grows over the first third of the run",
)  # fmt: skip
MNIST_IN_OUT = replace(
    MNIST_L2, title="MNIST, a net a class, data attacked too (L2 2)", radius=2.0, attack_step=0.5,
    objective_args={"ease": 0.3, "inside_radius": 1.0}, source=OURS + "thesis (3.45); L2 2 and 1 on MNIST are our choice",
)  # fmt: skip
MNIST_OOD = Recipe(
    "MNIST, against other images (L2 2)", "mnist", "in-out", "small-cnn", {"width": 48, "hidden": 64, "outputs": 1}, 1500, 64,
    2e-3,
    OURS + "thesis (3.36), (3.45): in- and out-distribution training; p0 and L2 1 and 2 on MNIST are our choice",
    objective_args={"ease": 0.3, "inside_radius": 1.0}, kind="binary", p0="fashionmnist+tinyimagenet32", radius=2.0,
    attack_steps=10, attack_step=0.5,
)  # fmt: skip

MADRY = {"trunk": "small-cnn", "width": 64, "hidden": 1024}
TABLE_3_1 = replace(
    MNIST_DETECTORS, title="MNIST, a net a class: thesis Table 3.1, L∞ .3", net_args=MADRY, batch=320,
    steps=10 * 100 * (5_000 // 32), lr=1e-4, schedule="constant", clip=float("inf"), objective_args={}, attack="adam",
    attack_steps=100, attack_step=0.01,
    source="thesis 3.2.3, Table 3.1: convolutions of 32 and 64 filters, 1024 hidden, 100 epochs, 32 + 32 images, 100 Adam "
    "steps of .01; strides stand for its pooling, the optimiser of the weights is our choice",
)  # fmt: skip

CIFAR_DETECTORS = replace(
    MNIST_DETECTORS, title="CIFAR-10, a net a class (L∞ 8/255)", data="cifar10",
    net_args={"trunk": "small-resnet", "width": 16, "norm": "none", "activation": "silu", "flat": 8},
    lr=2e-3, radius=8 / 255, attack_steps=5, attack_step=3 / 255, batch=1280,
    source=OURS + "thesis (3.23), L∞ 8/255 as in 3.2.3, which fine-tunes a trained ResNet",
)  # fmt: skip
PAPER_3_2 = replace(
    CIFAR_DETECTORS, title="CIFAR-10, a net a class: thesis 3.2.3, L∞ 8/255",
    net_args={"trunk": "resnet50", "width": 64}, batch=300, steps=10 * 100 * (50_000 // 300), lr=0.1, optimizer="sgd",
    weight_decay=5e-4, clip=float("inf"), objective_args={}, attack_steps=40, attack_step=0.5 / 255, split="train",
    source="thesis 3.2.3: batches of 300, 40 steps of .5/255; it fine-tunes a ResNet of 95.01 %, whose weights are not here, "
    "and names neither epochs nor optimiser",
)  # fmt: skip
CIFAR_GENERATIVE = replace(
    CIFAR_DETECTORS, title="CIFAR-10, a net a class (L2 .3)", norm="l2", radius=0.3, attack_step=0.1,
    source=OURS + "thesis (3.39), L2 .3 as in 3.4.3",
)  # fmt: skip
PAPER_3_4 = replace(
    CIFAR_GENERATIVE, title="CIFAR-10, a net a class: thesis 3.4.3, L2 .3",
    net_args={"trunk": "resnet18", "width": 32}, batch=640, steps=10 * 2000 * (5_000 // 64), lr=0.1, optimizer="sgd",
    clip=float("inf"), objective_args={}, attack_steps=10, attack_step=0.1, schedule="drop at 1500 of 2000", split="train",
    source="thesis 3.4.3: ResNet-18 of half width, SGD .1 dropped tenfold after epoch 1500 of 2000, batch 128 (64 + 64 here), "
    "decay 1e-4, L2 .3; AutoAugment is left out, the attack's steps are our choice",
)  # fmt: skip
CIFAR_OOD = replace(
    MNIST_OOD, title="CIFAR-10, against Tiny ImageNet (L2 .5)", data="cifar10",
    net_args={"width": 64, "hidden": 64, "side": 32, "outputs": 1}, p0="tinyimagenet32", radius=0.5, attack_step=0.1,
    batch=128, objective_args={"ease": 0.3, "inside_radius": 0.25},
    source=OURS + "thesis 3.3.2: in L2 .25, out L2 .5; its p0, 80 million tiny images, is withdrawn",
)  # fmt: skip
PAPER_3_3 = replace(
    CIFAR_OOD, title="CIFAR-10, against Tiny ImageNet: thesis 3.3.2", net="resnet50", net_args={"width": 64, "outputs": 1},
    steps=400 * (50_000 // 128), batch=128, lr=0.1, optimizer="sgd", schedule="constant", clip=float("inf"),
    objective_args={"inside_radius": 0.25},
    source="thesis 3.3.2: batch 128, 400 epochs, SGD .1, in L2 .25 and out L2 .5 with 10 steps of .1 (in: of .0625 here); "
    "AutoAugment is left out; its p0, 80 million tiny images, is withdrawn: Tiny ImageNet in its place",
)  # fmt: skip

DETECTORS: dict[str, dict[str, Recipe]] = {
    "mnist-detectors": scales(MNIST_DETECTORS, evidence=2000, shipped=20_000, paper=TABLE_3_1),
    "mnist-detectors-l2": scales(MNIST_L2, evidence=2000, shipped=10_000),
    "mnist-in-out": scales(MNIST_IN_OUT, evidence=2000, shipped=20_000),
    "mnist-ood": scales(MNIST_OOD, evidence=600, shipped=3000),
    "cifar10-detectors": scales(CIFAR_DETECTORS, evidence=2000, shipped=7391, paper=PAPER_3_2),
    "cifar10-generative": scales(CIFAR_GENERATIVE, evidence=2000, shipped=20_000, paper=PAPER_3_4),
    "cifar10-ood": scales(CIFAR_OOD, evidence=600, shipped=5796, paper=PAPER_3_3),
}
