"""Several processes that train as one, lower precision, and what is said where a batch does not fit."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import randn, seeded, toy_classifier

from cemviz import cli
from cemviz.attacks import threat
from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.memory import OutOfMemory, smaller
from cemviz.backend.requests import TrainRequest
from cemviz.backend.studio import Studio
from cemviz.backend.train import curves, prepared
from cemviz.backend.train import run as backend
from cemviz.backend.train import team as distributed
from cemviz.backend.train.provenance import command
from cemviz.backend.train.run import Model, train
from cemviz.draws import Part, gathered, own_rows, rand, total
from cemviz.draws import randn as normal
from cemviz.dynamics import Dynamics
from cemviz.starts import near
from cemviz.training.energy_based import Replay
from cemviz.training.loop import fit
from cemviz.training.precision import Mixed
from cemviz.training.recipes import RECIPES
from cemviz.training.supervised import standard, trades

ROOT = Path(__file__).parents[1]
TINY = {
    "data": "stripes", "net_args": "width:4,norm:none,activation:silu,flat:2", "steps": "5", "batch": "12", "radius": "0.3",
    "norm": "l2", "attack_steps": "2", "attack_step": "0.15", "images": "60", "lr": "0.01",
}  # fmt: skip
CHAINS = {"objective_args": "buffer:20,steps:2,step:0.5,reinit:0.3", "attack_steps": "1", "attack_step": "0.3", "lr": "0.002"}
RUNS = {
    "standard": ("mnist-standard-linf", {}),
    "adversarial": ("mnist-at-linf", {"average": "0.8"}),
    "noisy": ("mnist-noise-20", {}),
    "trades": ("mnist-trades", {}),
    "jeat": ("mnist-jeat", CHAINS),
}
"""name -> recipe and changes: every place that draws."""


def asked(name, **more):
    row, changes = RUNS[name]
    return TrainRequest(row, out=name, changes=TINY | changes, **more)


def updates(request):
    *steps, _ = train(Studio(choose("cpu")), request)
    return steps


def work(rank, port, places, runs, out):
    """One of two processes: train each (name, recipe, changes, last step or None) and write what was told."""
    torch.set_num_threads(1)
    os.environ |= {
        "WORLD_SIZE": "2",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"CEMVIZ_DATA": f"{places}/data", "CEMVIZ_CHECKPOINTS": f"{places}/pair"}
    curves = {}
    for name, row, changes, stop in runs:
        curves[name] = []
        run = train(Studio(choose("cpu")), TrainRequest(row, out=name, changes=changes))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                for at in run:
                    if isinstance(at, Model):
                        continue
                    curves[name].append(at.terms)
                    if at.done == stop:
                        break
            except ValueError as error:
                curves[name] = str(error)
            run.close()
        curves[f"{name} warned"] = [str(w.message) for w in caught if "BatchNorm" in str(w.message)]
    distributed.leave()
    Path(out).write_text(json.dumps(curves))


def pair(places, runs):
    """Results of two processes."""
    context = multiprocessing.get_context("forkserver")  # not fork: autograd has threads
    context.set_forkserver_preload(["cemviz.backend.train.run", "accelerate.utils"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outs = [places / f"told-{rank}.json" for rank in (0, 1)]
    works = [context.Process(target=work, args=(rank, port, str(places), runs, str(outs[rank]))) for rank in (0, 1)]
    for each in works:
        each.start()
    for each in works:
        each.join()
    assert [each.exitcode for each in works] == [0, 0]
    return [json.loads(out.read_text()) for out in outs]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_give_the_curve_the_model_and_the_state_of_one(places, monkeypatch):
    alone = {name: [update.terms for update in updates(asked(name))] for name in RUNS}
    models = {name: store.load(name)[0].state_dict() for name in alone}
    runs = [(name, row, TINY | changes, None) for name, (row, changes) in RUNS.items()]
    runs += [("stopped", RUNS["jeat"][0], TINY | CHAINS, 3), ("odd", RUNS["standard"][0], TINY | {"batch": "9"}, None)]
    runs += [("normed", "mnist-at-linf", TINY | {"net_args": TINY["net_args"].replace("none", "batch"), "steps": "1"}, None)]
    first, second = pair(places, runs)
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(places / "pair"))
    for name, curve in alone.items():
        assert first[name] == second[name]  # terms are those of the whole batch
        for here, there in zip(curve, first[name], strict=True):
            assert here == pytest.approx(there, abs=1e-5), name
        for k, v in store.load(name)[0].state_dict().items():
            torch.testing.assert_close(v, models[name][k], atol=2e-3, rtol=0)  # half precision on disk
        card = store.read_card(name)
        assert "--num_processes 2 -m cemviz train" in card.command and card.device.startswith("2 × CPU")
    assert "batch is 9, which 2 processes cannot share evenly; give a multiple of 2: 8" in first["odd"]
    assert first["normed warned"] and not second["normed warned"] and "BatchNorm" in store.read_card("normed").notes
    resumed = updates(TrainRequest("mnist-jeat", out="stopped", changes=TINY | CHAINS, resume=True))
    for here, there in zip(alone["jeat"][3:], resumed, strict=True):
        assert here == pytest.approx(there.terms, abs=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_accelerate_launches_two_processes_of_which_one_writes_and_speaks(places, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = ["train", "mnist-at-linf", "--out", "two", "--json"] + [f"--set={k}={v}" for k, v in TINY.items()]
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", port]
    done = subprocess.run(
        [sys.executable, *launch, "-m", "cemviz", *words],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == "two" and done.stderr.count(f"step {TINY['steps']}/{TINY['steps']}") == 1
    card, history = store.read_card("two"), store.read_json(curves.path("two"))
    assert card.metrics["accuracy"]["value"] == json.loads(done.stdout)["accuracy"]
    weights = store.weights_path(card)
    assert {p.name for p in (places / "models").rglob("*") if p.is_file()} == {"two.json", "two.json.gz", weights.name}
    list(train(Studio(choose("cpu")), TrainRequest("mnist-at-linf", out="one", changes=TINY)))
    one = store.read_json(curves.path("one"))
    for name, curve in one["terms"].items():
        assert curve == pytest.approx(history["terms"][name], rel=2e-4)  # five digits are kept


@pytest.mark.parametrize("draw", [rand, normal])
def test_a_part_draws_its_rows_of_the_whole_and_leaves_the_same_state(draw):
    whole, parts = seeded(3), [Part("cpu", rank, 3, None).manual_seed(3) for rank in range(3)]
    expected = draw((12, 5), generator=whole, dtype=torch.float64)
    drawn = [draw((4, 5), generator=part, dtype=torch.float64) for part in parts]
    assert torch.equal(torch.cat(drawn), expected)
    assert all(torch.equal(part.get_state(), whole.get_state()) for part in parts)
    assert torch.equal(torch.cat([own_rows(expected, part) for part in parts]), expected) and total(4, parts[0]) == 12


def test_a_plain_generator_draws_as_torch_does():
    assert torch.equal(rand((3, 4), generator=seeded(1)), torch.rand(3, 4, generator=seeded(1)))
    assert torch.equal(normal((3, 4), generator=seeded(1)), torch.randn(3, 4, generator=seeded(1)))
    x = randn(3, 2)
    assert own_rows(x, seeded()) is x and gathered(x, None) is x and total(3, None) == 3


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_starts_of_the_parts_are_those_of_the_whole(norm):
    x = randn(8, 1, 3, 3).sigmoid()
    dyn = Dynamics(radius=0.3, norm=norm)
    parts = [near(x.chunk(2)[rank], dyn, generator=Part("cpu", rank, 2, None).manual_seed(5)) for rank in (0, 1)]
    torch.testing.assert_close(torch.cat(parts), near(x, dyn, generator=seeded(5)), atol=1e-12, rtol=0)


def test_every_part_of_a_replay_buffer_keeps_the_chains_of_the_whole():
    net, dyn, shape = toy_classifier().float(), Dynamics(2, 0.5, 0.1, gradient="raw"), (1, 4, 4)
    whole = Replay(10, shape, dyn, reinit=0.5, generator=seeded(1))
    negatives = [whole.negatives(net, 6) for _ in range(3)]
    met, rows = threading.Barrier(2, timeout=60), [None, None]

    def gather(rank, mine):
        rows[rank] = mine
        met.wait()
        both = torch.cat(rows)
        met.wait()
        return both

    def live(rank):
        part = Part("cpu", rank, 2, lambda mine: gather(rank, mine)).manual_seed(1)
        replay = Replay(10, shape, dyn, reinit=0.5, generator=part)
        return [replay.negatives(net, 3) for _ in range(3)], replay.chains

    with ThreadPoolExecutor(2) as pool:
        (first, chains), (second, others) = pool.map(live, (0, 1))
    for a, b, both in zip(first, second, negatives, strict=True):
        torch.testing.assert_close(torch.cat([a, b]), both, atol=1e-6, rtol=0)
    torch.testing.assert_close(chains, whole.chains, atol=1e-6, rtol=0)
    assert torch.equal(chains, others)


def test_what_a_step_tells_and_does_is_what_reduce_makes_of_it():
    net = toy_classifier().train()
    before, batch = [p.clone() for p in net.parameters()], (randn(4, 1, 4, 4), torch.arange(4))

    def reduce(tensors):
        assert [t.shape for t in tensors] == [torch.Size([]), *(p.shape for p in before)]
        for i, t in enumerate(tensors):
            t.fill_(float(i))

    (update,) = fit(net, standard, iter([batch]), 1, torch.optim.SGD(net.parameters(), lr=0.5), reduce=reduce)
    assert update.terms == {"cross-entropy": 0.0}
    for i, (p, was) in enumerate(zip(net.parameters(), before, strict=True)):
        torch.testing.assert_close(p.detach(), was.detach() - 0.5 * (i + 1))


def test_bf16_trains_nearly_alike_and_is_told(places):
    curves = {}
    for precision in ("fp32", "bf16"):
        asking = TrainRequest("mnist-trades", out=precision, changes=TINY, precision=precision)
        curves[precision] = [sum(update.terms.values()) for update in updates(asking)]
    gaps = [abs(a - b) for a, b in zip(*curves.values(), strict=True)]
    assert 0 < max(gaps) < 0.05
    card = store.read_card("bf16")
    assert "--precision bf16" in card.command and card.recipe_args["precision"] == "bf16"
    assert "--precision" not in store.read_card("fp32").command and "precision" not in store.read_card("fp32").recipe_args


def test_a_state_of_one_precision_does_not_go_on_in_another(places):
    first = train(Studio(choose("cpu")), TrainRequest("mnist-at-linf", changes=TINY))
    next(first), first.close()
    with pytest.raises(ValueError, match="is of another run"):
        next(train(Studio(choose("cpu")), TrainRequest("mnist-at-linf", changes=TINY, resume=True, precision="bf16")))
    with pytest.raises(BadInput, match="precision is 'fp8'; choose one of fp32, bf16"):
        next(train(Studio(choose("cpu")), TrainRequest("mnist-at-linf", changes=TINY, precision="fp8")))


def test_every_pass_of_a_mixed_step_is_lower_and_every_gradient_is_whole():
    net, seen = toy_classifier().float().train(), set()
    net[1].register_forward_hook(lambda module, args, f: seen.add(f.dtype))
    goal = Mixed(trades(threat("pgd", "l2", 0.3, 2), generator=seeded()), torch.bfloat16)
    terms = goal(net, (randn(4, 1, 4, 4).float(), torch.arange(4)), 0.0)
    sum(terms.values()).backward()
    assert seen == {torch.bfloat16} and {t.dtype for t in terms.values()} == {torch.float32}
    assert all(p.grad is not None and p.grad.dtype == torch.float32 and p.grad.norm() > 0 for p in net.parameters())
    assert net.training


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_a_batch_that_does_not_fit_is_answered_with_what_to_set(places, monkeypatch, error):
    def goal(net, batch, progress):
        raise error

    monkeypatch.setattr(prepared, "objective", lambda row, shape, generator: goal)
    monkeypatch.setattr(backend, "probe", lambda *args: None)
    words = r"batch is 12, .* memory of CPU.*: --set batch=6 --set lr=0.00707 --steps 10"
    with pytest.raises(OutOfMemory, match=words) as caught:
        next(train(Studio(choose("cpu")), asked("adversarial")))
    assert cli.code(caught.value) == 1


def test_other_errors_stay_what_they_are(places, monkeypatch):
    def goal(net, batch, progress):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(prepared, "objective", lambda row, shape, generator: goal)
    monkeypatch.setattr(backend, "probe", lambda *args: None)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        next(train(Studio(choose("cpu")), asked("adversarial")))


def test_a_smaller_batch_takes_its_rate_with_it_and_stays_divisible():
    row = replace(RECIPES["mnist-at"]["laptop"], batch=100, lr=0.1, steps=10)
    assert "--set batch=50 --set lr=0.0707 --steps 20" in smaller(row, "GPU")
    assert "--set batch=50 --set lr=0.05 --steps 20" in smaller(replace(row, optimizer="sgd"), "GPU")
    assert "--set batch=48 --set lr=0.048 --steps 21" in smaller(replace(row, optimizer="sgd"), "GPU", 4)
    assert "take a smaller net" in smaller(replace(row, batch=4), "GPU", 4)


def test_one_process_is_no_team_and_a_second_one_is_silent(monkeypatch, capsys):
    for name in ("WORLD_SIZE", "RANK", "ACCELERATE_USE_CPU"):
        monkeypatch.delenv(name, raising=False)
    team = distributed.join(choose("cpu"), 7)
    assert (team.rank, team.world) == (0, 1) and not isinstance(team.generator(0), Part) and distributed.advice() is None
    cli.progress("heard")
    monkeypatch.setenv("RANK", "1")
    cli.progress("not heard"), cli.progress("trouble", always=True)
    assert capsys.readouterr().err == "heard\ntrouble\n"


def test_accelerate_that_starts_one_process_for_several_is_told_how(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "False"), monkeypatch.setenv("MASTER_PORT", "29500")
    assert "add --multi_gpu" in distributed.advice()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert distributed.advice() is None


def test_the_command_on_a_card_says_how_many_processes_there_were():
    asking = TrainRequest("mnist-at", precision="bf16")
    assert command(asking, 2).startswith("accelerate launch --multi_gpu --num_processes 2 -m cemviz train mnist-at ")
    assert command(asking).startswith("python -m cemviz train mnist-at ") and command(asking).endswith(" --precision bf16")
