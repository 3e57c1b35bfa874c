"""Files that ship: cards that tell the truth, sizes that fit the budget, and the story that the page opens with."""

import json
from pathlib import Path

import pytest
import torch
from tables import revised

from cemviz.backend import store
from cemviz.backend.device import choose
from cemviz.backend.evaluate import evaluate
from cemviz.backend.requests import EvaluateRequest, SampleRequest
from cemviz.backend.sample import boards
from cemviz.backend.sample.chains import Chains, sample
from cemviz.backend.sample.swept import as_json
from cemviz.backend.stored import artefacts, assets
from cemviz.backend.studio import Studio
from cemviz.backend.tables import EXPERIMENTS, judge
from cemviz.backend.tables.reproduce import results
from cemviz.data import images
from cemviz.metrics.answers import logits
from cemviz.nets.encoder import trunk_of
from cemviz.training.recipes import recipe

SHIPPED = Path(__file__).parents[1] / "checkpoints"
KINDS = {path.stem: json.loads(path.read_text())["kind"] for path in sorted(SHIPPED.glob("*.json"))}
NAMES = list(KINDS)
CLASSIFIERS, ENCODERS = ([name for name in NAMES if KINDS[name] == kind] for kind in ("classifier", "encoder"))


pytestmark = pytest.mark.slow  # chains of the models that ship


@pytest.fixture(autouse=True)
def shipped(monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(SHIPPED))


def run(request: SampleRequest) -> Chains:
    *_, chains = sample(Studio(choose("cpu")), request)
    return chains


def test_the_models_that_the_page_opens_with_are_there():
    assert {"mnist-standard", "mnist-at", "mnist-standard-flat", "mnist-at-flat"} <= set(NAMES)


def test_everything_fits_the_budget():
    size = sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file() and "runs" not in path.parts)
    assert size < 40 * 2**20


@pytest.mark.parametrize("name", NAMES)
def test_a_card_belongs_to_its_weights_and_names_a_row_that_gives_them(name):
    _, card = store.load(name)  # refuses a hash that does not match
    row = recipe(card.recipe, card.scale)
    net = trunk_of(store.read_card(row.encoder).net_args)[0] if row.encoder else row.net
    assert (net, row.steps, row.objective) == (card.net, card.steps, card.recipe_args["objective"])
    assert {k: card.net_args[k] for k in row.net_args} == row.net_args
    lower = " --precision bf16" if card.recipe_args.get("precision") == "bf16" else ""
    assert card.command == f"python -m cemviz train {name} --scale {card.scale} --seed {card.seed}{lower}"


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_s_card_tells_its_accuracy_clean_and_under_attack(name):
    card = store.read_card(name)
    assert card.metrics["accuracy"]["count"] in (1000, 10_000) and card.metrics["robust"]["count"] in (200, 1000)
    assert card.metrics["robust"]["attack"] == "apgd" and card.metrics["robust"]["radius"] == card.radius
    assert not card.metrics["robust"].get("warnings")  # the attack had gradients to follow


def test_attacks_in_training_make_an_encoder_robust():
    robust = {name: store.read_card(f"{name}-probe").metrics["robust"]["value"] for name in ENCODERS}
    assert min(robust["mnist-uat"], robust["mnist-uat-a2s"]) > robust["mnist-simclr"] + 0.4


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_ships_with_a_probe_that_reads_exactly_it(name):
    encoder, _ = store.load(name)
    net, card = store.load(f"{name}-probe")
    assert card.recipe_args["encoder"] == name and store.read_card(name).sha256[:12] in card.notes
    frozen, trunk = net[:-1].state_dict().values(), encoder.trunk.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(frozen, trunk, strict=True))
    assert card.metrics["accuracy"]["value"] >= (0.97 if card.data == "mnist" else 0.3)  # chance is .1


@pytest.mark.data
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_card_s_accuracy_is_measured_again(name):
    card = store.read_card(name)
    if not images.available(card.data):
        pytest.skip(f"{card.data} is not on this machine (CEMVIZ_DATA)")
    *_, result = evaluate(Studio(choose("cpu")), EvaluateRequest(name))
    known = card.metrics["accuracy"]
    part = 0.002 if known["count"] == result["count"] else 4 * result["spread"]  # of more images than are looked at here
    assert result["value"] == pytest.approx(known["value"], abs=part)


@pytest.mark.parametrize("data", ["mnist", "cifar10"])
def test_grids_and_gallery_are_of_the_models_that_ship(data):
    grids, gallery = assets.grids(data), assets.gallery(data)
    if grids is None:
        pytest.skip(f"no grids of {data} ship")
    assert not grids.stale(store.cards()) and gallery.sha256 == store.read_card(gallery.model).sha256


def judged(judge: str, chains: Chains) -> float:
    """Share of last images in which another net sees the asked class."""
    net, _ = store.load(judge)
    return float((logits(net, torch.from_numpy(chains.final)).argmax(1).numpy() == chains.labels).mean())


def test_the_robust_net_draws_the_asked_digits_the_standard_one_does_not():
    robust, standard = run(SampleRequest("mnist-at", count=40)), run(SampleRequest("mnist-standard", count=40))
    assert (robust.predicted == robust.labels).mean() > 0.95
    assert judged("mnist-at-flat", robust) > 0.9  # a net that had no part in them reads them as asked
    assert (standard.predicted == standard.labels).mean() < 0.6


def test_uniform_noise_lies_beyond_the_ball_and_rcs_stays_near_chance():
    chains = run(SampleRequest("mnist-at", count=40, start="uniform"))
    means = Studio(choose("cpu")).source(chains.card).gaussians.means[:-1]
    x0 = torch.from_numpy(chains.pixels[0]).flatten(1).float() / 255
    assert torch.cdist(x0, means).amin(1).min() > 2 * chains.dynamics.radius
    assert judged("mnist-at-flat", chains) < 0.5


@pytest.mark.parametrize("name", ["mnist-uat", "mnist-uat-a2s"])
def test_maxent_spreads_over_digits_where_pgd_collapses_from_equal_starts(name):
    spread, collapsed = (
        run(SampleRequest(name, sampler, count=64, start="gaussian", steps=20)) for sampler in ("maxent", "pgd")
    )
    assert (spread.pixels[0] == collapsed.pixels[0]).all()
    seen = [chains.predicted[chains.confidence > 0.9] for chains in (spread, collapsed)]  # by the encoder's own probe
    assert len(set(seen[0].tolist())) >= 8 and max((seen[1] == digit).mean() for digit in range(10)) > 0.5
    similar = [chains.series["similarity"][-1].mean() for chains in (spread, collapsed)]
    assert similar[0] < 0.1 < 0.5 < similar[1]
    assert spread.series["entropy"][-1][0] > spread.series["entropy"][0][0] + 0.5
    judge, _ = store.load("mnist-judge")  # a net that had no part in it
    read = logits(judge, torch.from_numpy(spread.final)).softmax(1)
    assert len(set(read.argmax(1)[read.amax(1) > 0.9].tolist())) >= 5


@pytest.mark.parametrize("target", EXPERIMENTS)
def test_a_table_of_stored_models_asks_for_those_that_ship(target):
    """Also where a number cannot be made: else its command would end there."""
    asked = {cell.recipe for cell in EXPERIMENTS[target].cells.values() if cell.scale == "shipped"}
    assert asked <= set(store.cards())


FIELDS = {"name", "column", "paper", "ours", "spread", "seeds", "count", "split", "extractor", "scale", "note"}
"""Fields of a row, as CONTRACT.md has them; more may stand beside them."""


@pytest.fixture(params=EXPERIMENTS)
def table(request):
    made = results().get(request.param)
    if made is None:
        pytest.skip(f"{request.param} does not ship")
    return made


def test_a_table_that_ships_is_the_one_that_its_command_makes_now(table):
    experiment = EXPERIMENTS[table["table"]]
    rows = {(row["name"], row["column"]): row for row in table["rows"]}
    assert list(rows) == list(experiment.cells)
    assert (table["title"], table["source"], table["about"]) == (experiment.title, experiment.source, experiment.about)
    assert {place: row["paper"] for place, row in rows.items()} == {
        place: experiment.paper.get(place) for place in experiment.cells
    }
    assert table["orders"] == judge(experiment.orders, table["rows"]) and table == revised(table["table"], table)


def test_a_row_that_ships_is_whole_and_a_missing_number_has_its_reason(table):
    for row in table["rows"]:
        assert set(row) >= FIELDS and row["seeds"] >= (row["ours"] is not None)
        assert (row["ours"] is None) <= bool(row["note"]) and (row["paper"] is None) <= bool(row["note"])
        assert row["spread"] is None or row["spread"] > 0
        assert not row["column"].startswith(("IS", "FID")) or row["ours"] is None or row["extractor"]


def test_a_verdict_that_ships_obeys_the_rules_by_the_numbers_beside_it(table):
    rows = {(row["name"], row["column"]): row for row in table["rows"]}

    def decided(side):
        kept = [rows[tuple(place)] for place in (side["over"], side["under"]) if not isinstance(place, float)]
        spreads = [row["spread"] for row in kept]
        if None in spreads or side["by"] is None:
            return None, kept
        width = 2 * sum(spread**2 for spread in spreads) ** 0.5
        return (None if abs(side["by"]) <= width else side["by"] > 0), kept

    for order in table["orders"]:
        holds, kept = decided(order)
        if kept[0]["extractor"] is not None:
            other, more = decided(order["second"]) if "second" in order else (None, kept)
            holds = holds if holds == other else None
            judges = {row["extractor"] for row in kept} | {row["extractor"] for row in more}
            assert order["holds"] is None or len(judges) == 2, f"{order['claim']} is decided by one judge"
            assert not judges & {f"judge-{cell.recipe}" for cell in EXPERIMENTS[table["table"]].cells.values()}
        assert order["holds"] == holds, order["claim"]


def test_a_share_that_ships_scatters_at_least_as_its_images_do(table):
    for place, cell in EXPERIMENTS[table["table"]].cells.items():
        row = next(row for row in table["rows"] if (row["name"], row["column"]) == place)
        if cell.measure.rate and row["ours"] is not None:
            p, n = row["ours"], row["count"]
            assert row["spread"] >= 0.99 * (p * (1 - p) / n) ** 0.5 and row["resampled"] == "binomial"


def test_tables_of_quality_have_real_images_starts_and_the_standard_net():
    for target in ("draws", "cem-2", "jeat-2", "jeat-fig-5"):
        names = [name for name, column in EXPERIMENTS[target].cells if column in ("FID", "FID, mnist")]
        assert "real images" in names and any("no step" in name for name in names)
        assert any("standard" in name for name in names)


@pytest.mark.parametrize("data", ["mnist", "cifar10"])
def test_boards_that_ship_rest_on_the_models_and_the_requests_of_now_and_are_small(data):
    cards = store.cards()
    asked = boards.requests(data, cards)
    models = 6 + (f"{data}-binary" in cards)
    assert len(asked) == 2 * models, "four samplers of a classifier, one of JEAT, an encoder and a binary net, two pairs each"
    made = {name: board for name in asked if (board := boards.board(name)) is not None}
    if not made:
        pytest.skip(f"no boards of {data} ship")
    for name, board in made.items():
        assert board.stale(cards, as_json(asked[name])) == [], name
        assert len(board.head["cells"]) == 49 and board.head["judge"] == f"{data}-judge"
        assert artefacts.path(boards.FOLDER, name).stat().st_size <= 300 * 1024, name


def test_all_boards_fit_their_budget():
    assert sum(path.stat().st_size for path in (SHIPPED / boards.FOLDER).iterdir()) <= 3 * 2**20
