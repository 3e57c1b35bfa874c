"""The table of recipes: published numbers, every row builds and steps, and changes that do not fit are refused in words."""

import math
import sys
from dataclasses import replace

import pytest
import torch
from conftest import rand, seeded

from cemviz.data.images import DATASETS
from cemviz.dynamics import Dynamics
from cemviz.nets import NETS, build
from cemviz.starts import Source
from cemviz.training.loop import fit
from cemviz.training.recipe import OBJECTIVES, SCHEDULES, objective
from cemviz.training.recipes import RECIPES, recipe

ROWS = [(name, scale) for name, rows in RECIPES.items() for scale in rows]
every = pytest.mark.parametrize(("name", "scale"), ROWS)
SMALL = {
    "small-resnet": {"width": 4},
    "small-cnn": {"width": 4, "hidden": 8},
    "resnet18": {"width": 4},
    "resnet50": {"width": 4},
    "wide-resnet": {"depth": 10, "widen": 1},
    "encoder": {"width": 4, "projection": (8, 4)},
}


def small(row):
    """Arguments that make a row's net small; a net a class has three members, of its own trunk."""
    return SMALL[row.net] if row.net != "one-vs-rest" else SMALL[row.net_args["trunk"]] | {"outputs": 3}


@every
def test_a_row_takes_a_step_with_its_data_net_objective_and_optimiser(name, scale):
    row = recipe(name, scale)
    shape, args = DATASETS[row.data].shape, row.net_args | small(row)
    if row.optimizer == "lars":
        pytest.importorskip("timm", reason="timm, which has LARS, is not installed")
    if row.data == "cifar10" and row.net != "small-cnn":  # a map of 8x8 is slow here
        args = {k: v for k, v in args.items() if k != "flat"}
    if args.get("trunk") == "small-cnn":
        args["side"] = shape[1]
    updates = 3 if row.net == "one-vs-rest" else 2  # one a member
    net = build(row.net, mean=DATASETS[row.data].mean, std=DATASETS[row.data].std, **args).train()
    old = [p.clone() for p in net.parameters()]
    brief = {"steps": 1, "buffer": 8} if "buffer" in row.objective_args else {}
    step = replace(row, attack_steps=min(row.attack_steps, 1), objective_args=row.objective_args | brief)
    batches = iter([(rand(4, *shape, dtype=torch.float32), torch.arange(4) % 3)] * updates)
    goal = objective(step, Source(shape, p0=lambda count, g: torch.rand(count, *shape, generator=g)), seeded())
    for p in fit(net, goal, batches, updates, step.optimizer_for(net), schedule=SCHEDULES[row.schedule]):
        assert math.isfinite(sum(p.terms.values()))
    assert all(not torch.equal(a, b) for a, b in zip(old, net.parameters(), strict=True) if a.dim() > 1)


@every
def test_a_row_names_known_things_and_its_source(name, scale):
    row = recipe(name, scale)
    assert row.net in NETS and row.objective in OBJECTIVES and row.schedule in SCHEDULES and row.data in DATASETS
    assert row.source and (row.radius > 0 or row.p0)
    assert row.kind == (row.net if row.net in ("encoder", "one-vs-rest") else "binary" if row.p0 else "classifier")
    assert row.encoder is None or RECIPES[row.encoder][scale if scale != "paper" else "laptop"].kind == "encoder"


@every
def test_standard_rows_are_not_attacked_others_can_reach_their_balls_edge(name, scale):
    row = recipe(name, scale)
    if row.objective == "maximin":
        assert row.attack_steps > 1 and row.attack_step > 0 and row.p0
    elif row.objective not in ("adversarial", "trades", "consistent", "jeat", "a2a", "a2s", "in-out", "each-vs-rest"):
        assert row.attack_steps == 0
    else:
        assert row.attack_steps * row.attack_step >= row.radius > 0


def test_scales_go_up_to_shipped_with_fewer_images_for_evidence():
    for name in RECIPES:
        evidence, laptop, shipped = (recipe(name, scale) for scale in ("evidence", "laptop", "shipped"))
        assert evidence.steps < laptop.steps < shipped.steps or (laptop.encoder and evidence.steps == laptop.steps)
        assert evidence.images == 20_000 and laptop.images is shipped.images is None


def test_the_paper_row_of_cem_c1_holds_the_published_numbers():
    row = recipe("cifar10-at", "paper")
    epoch = 50_000 // row.batch
    assert (row.net, row.net_args, row.data, row.objective) == ("resnet50", {"width": 64}, "cifar10", "adversarial")
    assert (row.batch, row.lr, row.optimizer, row.steps / epoch) == (256, 0.01, "sgd", 350)
    assert (row.norm, row.radius, row.attack, row.attack_steps, row.attack_step) == ("l2", 0.5, "pgd", 7, 0.1)
    rate = SCHEDULES[row.schedule]
    assert [rate(e / 350) for e in (0, 149, 150, 199, 200, 349)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    assert row.threat() == Dynamics(7, 0.1, 0.0, 0.5, "l2", "unit") and math.isinf(row.clip)


def test_the_paper_row_of_the_thesis_holds_table_2_3():
    row = recipe("cifar10-binary", "paper")
    assert (row.net, row.net_args, row.batch, row.lr, row.optimizer) == (
        "resnet50", {"width": 64, "outputs": 1}, 32, 5e-4, "adam-game",
    )  # fmt: skip
    assert (row.attack_steps, row.attack_step, row.objective_args) == (25, 0.1, {"share": 1.0, "r1": 0.01})
    assert row.steps == 26 * 5 * (50_000 // 32) and math.isinf(row.clip) and row.ascent() == Dynamics(25, 0.1)
    group = row.optimizer_for(torch.nn.Linear(2, 2)).param_groups[0]
    assert group["betas"] == (0.0, 0.99) and group["weight_decay"] == 0


def test_the_row_of_the_published_code_differs_from_the_thesis_in_its_options():
    paper, code = recipe("cifar10-binary", "paper"), recipe("cifar10-binary-code", "paper")
    assert code.objective_args == {"auc_above": 0.8, "inside": 5, "inside_step": 0.1, "r1": 0.01, "frozen": True}
    assert replace(code, title=paper.title, source=paper.source, objective_args=paper.objective_args) == paper


def test_the_paper_row_of_cem_a1_holds_the_published_numbers():
    row = recipe("cifar10-at-linf", "paper")
    assert (row.net, row.norm, row.radius, row.attack_steps) == ("resnet18", "linf", 8 / 255, 10)
    assert row.attack_step == pytest.approx(row.radius / 4)


def test_the_paper_row_without_attack_differs_from_c1_in_objective_alone():
    at, standard = recipe("cifar10-at", "paper"), recipe("cifar10-standard", "paper")
    assert replace(at, title=standard.title, objective="standard", attack_steps=0, attack_step=0.0) == standard


def test_the_paper_row_of_trades_holds_the_published_numbers():
    row = recipe("cifar10-trades", "paper")
    assert (row.net, row.net_args, row.batch, row.lr, row.optimizer) == (
        "wide-resnet",
        {"depth": 34, "widen": 10},
        128,
        0.1,
        "sgd",
    )
    assert (row.norm, row.radius, row.attack_steps, row.attack_step) == ("linf", 0.031, 10, 0.007)
    assert row.objective_args == {"weight": 6.0, "order": "published"} and row.weight_decay == 2e-4
    assert row.steps == 76 * (50_000 // 128)


def test_the_paper_row_of_consistency_has_the_threat_model_of_table_3():
    row, at = recipe("cifar10-at-cr", "paper"), recipe("cifar10-at-linf", "paper")
    assert row.objective == "consistent" and row.threat() == at.threat() and row.net == at.net == "resnet18"


def test_the_paper_rows_of_jem_and_jeat_hold_the_published_numbers():
    jem, jeat = recipe("cifar10-jem", "paper"), recipe("cifar10-jeat", "paper")
    for row in (jem, jeat):
        assert (row.net, row.net_args["depth"], row.net_args["widen"], row.net_args["norm"]) == ("wide-resnet", 28, 10, "none")
        assert (row.batch, row.lr, row.optimizer, row.weight_decay, row.steps) == (64, 1e-4, "adamw", 0, 200 * (50_000 // 64))
        assert row.objective_args == {"buffer": 10_000, "reinit": 0.05, "steps": 20, "step": 0.25, "noise": 0.005}  # on [0, 1]
        rate = SCHEDULES[row.schedule]
        assert rate(999 / row.steps) < 1 == rate(1000 / row.steps)
        assert [rate(e / 200) for e in (20, 159, 160, 179, 180)] == pytest.approx([1, 1, 0.3, 0.3, 0.09])
    assert (jeat.norm, jeat.radius, jeat.attack, jeat.attack_steps) == ("linf", 8 / 255, "energy", 1)
    assert jeat.threat().step == jeat.radius and jem.attack_steps == 0


def test_the_paper_rows_of_uat_hold_the_published_numbers():
    a2a, a2s, ucr = (recipe(f"cifar10-{name}", "paper") for name in ("uat", "uat-a2s", "uat-ucr"))
    for row in (a2a, a2s, ucr):
        assert (row.batch, row.lr, row.optimizer, row.steps) == (512, 1.0, "lars", 1000 * (50_000 // 512))
        rate = SCHEDULES[row.schedule]
        assert rate(5 / 1000) < 0.6 < rate(10 / 1000) == 1 and rate(505 / 1000) == pytest.approx(0.5) and rate(1.0) < 1e-9
    assert a2a.threat() == a2s.threat() == Dynamics(7, 0.1, 0.0, 0.5, "l2", "unit")
    assert ucr.threat() == Dynamics(10, 2 / 255, 0.0, 8 / 255, "linf", "sign")
    nets = [(row.objective, row.net_args["trunk"], row.net_args.get("norm", "batch")) for row in (a2a, a2s, ucr)]
    assert nets == [("a2a", "resnet18", "batch"), ("a2s", "resnet50", "double"), ("a2a", "resnet18", "batch")]


@pytest.mark.parametrize("name", [name for name, rows in RECIPES.items() if rows["laptop"].encoder])
def test_a_linear_probe_learns_so_slowly_that_its_logits_stay_within_reach_of_attacks(name):
    for row in RECIPES[name].values():
        assert (row.lr, row.weight_decay, row.objective, row.attack_steps) == (2e-3, 0.0, "standard", 0)


@pytest.mark.parametrize("name", [name for name in RECIPES if name.endswith(("-ucr", "-at-cr"))])
def test_what_is_named_after_consistency_has_a_weight_for_it_at_every_scale(name):
    assert all(row.objective_args["weight"] > 0 for row in RECIPES[name].values())


def test_the_encoders_share_net_and_batches_and_simclr_has_no_fewer_updates():
    for data in ("mnist", "cifar10"):
        names = [n for n in RECIPES if RECIPES[n]["laptop"].net == "encoder" and RECIPES[n]["laptop"].data == data]
        for scale in ("evidence", "laptop", "shipped"):
            rows = [recipe(name, scale) for name in names]
            nets = [{k: v for k, v in row.net_args.items() if k != "norm"} for row in rows]
            assert len(rows) >= 4 and all(net == nets[0] for net in nets)
            assert len({(row.batch, row.lr, row.optimizer) for row in rows}) == 1
            if (data, scale) == ("cifar10", "shipped"):  # as many updates as some minutes of a GPU held
                assert max(row.steps for row in rows) == recipe("cifar10-simclr", scale).steps <= 2400
            else:
                assert len({row.steps for row in rows}) == 1


def test_a_large_batch_optimiser_not_installed_is_named_with_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm.optim", None)
    with pytest.raises(ModuleNotFoundError, match="'lars', which the package timm has; run: pip install timm"):
        recipe("cifar10-uat", "paper").optimizer_for(torch.nn.Linear(2, 2))


def test_noise_is_that_of_the_paper_on_cifar10_and_ours_on_mnist():
    assert [recipe(f"cifar10-noise-{s}").objective_args["sigma"] for s in (8, 16, 24)] == [8 / 255, 16 / 255, 24 / 255]
    assert [recipe(f"mnist-noise-{s}").objective_args["sigma"] for s in (10, 20, 40)] == [0.1, 0.2, 0.4]


def test_the_whole_list_shares_one_net_and_one_threat_model():
    for data, systems in {
        "mnist": "standard-linf noise-10 noise-20 noise-40 at-linf trades at-cr prejeat jem jeat",
        "cifar10": "standard-linf noise-8 noise-16 noise-24 at-linf trades at-cr prejeat jem jeat",
    }.items():
        for scale in ("evidence", "laptop", "shipped"):
            rows = [recipe(f"{data}-{system}", scale) for system in systems.split()]
            assert all(
                (r.net, r.net_args, r.norm, r.radius) == (rows[0].net, rows[0].net_args, "linf", rows[0].radius) for r in rows
            )


def test_threat_models_are_those_of_the_contract():
    for name, norm, radius in [
        ("mnist-standard", "l2", 2.0), ("mnist-at", "l2", 2.0), ("mnist-at-linf", "linf", 0.2),
        ("cifar10-standard", "l2", 0.5), ("cifar10-at", "l2", 0.5), ("cifar10-at-linf", "linf", 8 / 255),
    ]:  # fmt: skip
        for scale in ("evidence", "laptop", "shipped"):
            assert (recipe(name, scale).norm, recipe(name, scale).radius) == (norm, radius)


# changes -----------------------------------------------------------------------------------------------------------------


def test_changes_as_text_are_read_as_the_type_of_their_field():
    row = recipe("mnist-at", "laptop", lr="0.001", steps="7", images="100", norm="linf", net_args="width:8,norm:none")
    assert (row.lr, row.steps, row.images, row.norm) == (0.001, 7, 100, "linf")
    assert row.net_args == {"width": 8, "norm": "none"}
    assert recipe("mnist-at").lr == 4e-3  # the table is as it was


def test_changes_as_values_are_taken_as_they_are():
    assert recipe("mnist-at", lr=0.5, net_args={"width": 4}).net_args == {"width": 4}


@pytest.mark.parametrize(
    ("args", "changes", "error", "said"),
    [
        (("mnist",), {}, KeyError, "no recipe 'mnist'; choose one of mnist-standard, mnist-at"),
        (("mnist-at", "huge"), {}, KeyError, "recipe 'mnist-at' has no scale 'huge'; choose one of evidence, laptop, shipped"),
        (("mnist-at",), {"rate": "1"}, KeyError, "a recipe has no field 'rate'; choose one of title, data"),
        (("mnist-at",), {"lr": "fast"}, ValueError, "lr is 'fast'; give a number, such as 0.004"),
        (("mnist-at",), {"steps": "1.5"}, ValueError, "steps is '1.5'; give a whole number"),
        (("mnist-at",), {"images": "1e3"}, ValueError, "images is '1e3'; give a whole number"),
        (("mnist-at",), {"net_args": "width"}, ValueError, r"net_args is 'width'; give KEY:VALUE\[,KEY:VALUE\]"),
        (("mnist-at",), {"optimizer": "adam"}, ValueError, "optimizer is 'adam'; choose one of adamw, adam-game, sgd, lars"),
        (("mnist-at",), {"schedule": "step"}, ValueError, "schedule is 'step'; choose one of constant, warm-up"),
        (("mnist-at",), {"objective": "magic"}, ValueError, "objective is 'magic'; choose one of standard, noisy"),
        (("mnist-at",), {"norm": "l3"}, ValueError, "norm is 'l3'; choose l2 or linf"),
        (("mnist-at",), {"radius": "-1"}, ValueError, r"β \(radius\) is -1"),
        (("mnist-at",), {"attack": "cw"}, KeyError, "no attack 'cw'"),
        (("mnist-at",), {"batch": "0"}, ValueError, "batch is 0; give at least 1"),
        (("mnist-at",), {"batch": "-4"}, ValueError, "batch is -4; give at least 1"),
        (("mnist-at",), {"steps": "0"}, ValueError, "steps is 0; give at least 1"),
        (("mnist-at",), {"images": "-5"}, ValueError, "images is -5; give at least 1"),
    ],
)
def test_bad_names_fields_and_values_are_refused_in_words(args, changes, error, said):
    with pytest.raises(error, match=said):
        recipe(*args, **changes)


@pytest.mark.parametrize("name", ["mnist-standard", "mnist-at"])
def test_an_argument_that_the_objective_does_not_have_is_refused(name):
    with pytest.raises(ValueError, match="objective_args"):
        objective(recipe(name, objective_args="weight:0.03"), Source((1, 28, 28)), seeded())


@pytest.mark.parametrize(
    ("field", "value"),
    [("clip", "0"), ("clip", "-1"), ("clip", "nan"), ("average", "1"), ("average", "nan"), ("average", "-0.1"),
     ("lr", "0"), ("lr", "-0.1"), ("lr", "nan"), ("lr", "inf"), ("weight_decay", "-1"), ("weight_decay", "nan"),
     ("weight_decay", "inf")],
)  # fmt: skip
def test_numbers_of_the_loop_that_would_climb_or_stand_still_are_refused(field, value):
    with pytest.raises(ValueError, match=f"^{field} is .*; give a (finite )?number"):
        recipe("mnist-at", **{field: value})


def test_the_rows_of_the_thesis_third_chapter_hold_its_numbers():
    table = recipe("mnist-detectors", "paper")
    assert (table.norm, table.radius, table.attack, table.attack_steps, table.attack_step) == ("linf", 0.3, "adam", 100, 0.01)
    assert table.batch == 10 * 32 and table.net_args["hidden"] == 1024 and table.objective_args == {}
    l2 = recipe("mnist-detectors-l2", "shipped")
    assert (l2.norm, l2.radius, l2.split) == ("l2", 2.5, "train-rest")
    fine = recipe("cifar10-detectors", "paper")
    assert (fine.norm, fine.radius, fine.attack_steps, fine.attack_step, fine.batch) == ("linf", 8 / 255, 40, 0.5 / 255, 300)
    own = recipe("cifar10-generative", "paper")
    assert (own.net_args, own.norm, own.radius, own.lr, own.weight_decay) == (
        {"trunk": "resnet18", "width": 32}, "l2", 0.3, 0.1, 1e-4,
    )  # fmt: skip
    assert [SCHEDULES[own.schedule](e / 2000) for e in (0, 1499, 1500, 1999)] == pytest.approx([1, 1, 0.1, 0.1])
    out = recipe("cifar10-ood", "paper")
    assert (out.radius, out.attack_steps, out.attack_step, out.objective_args) == (0.5, 10, 0.1, {"inside_radius": 0.25})
    assert (out.batch, out.steps, out.lr, out.optimizer) == (128, 400 * (50_000 // 128), 0.1, "sgd")
