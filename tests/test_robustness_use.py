"""Robustness as the page and the assets use it: rates against attacks run by hand, and what ships."""

import json
from dataclasses import asdict, replace

import pytest
import rates
import torch
from rates import measured, measured_before, save
from stripes import elsewhere

from cemviz.attacks import ATTACKS, Attack
from cemviz.backend import store
from cemviz.backend.attack import rates as rb
from cemviz.backend.attack.examples import attacked
from cemviz.backend.attack.rates import COLUMNS, Rates, groups, ready, robustness, shipped, within
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.requests import AttackedRequest, RobustnessRequest
from cemviz.backend.store import BrokenCheckpoint
from cemviz.backend.studio import Studio
from cemviz.backend.use_case import Step
from cemviz.energies import joint, negated
from cemviz.ui.robustness import words as words_robustness

FEW = ("none", "pgd")


@pytest.fixture
def studio(places, monkeypatch):
    return rates.equipped(monkeypatch)


@pytest.fixture
def alone(studio, monkeypatch):
    studio.test_images("stripes")  # read before the set is gone: a test may want both machines
    return elsewhere(monkeypatch)


def ask(*models: str, **kwargs) -> RobustnessRequest:
    return RobustnessRequest(models or ("stripes-standard",), **{"count": 20, "attacks": FEW, "curve": False, **kwargs})


def rows(studio: Studio, request: RobustnessRequest) -> list[Rates]:
    return [item for item in robustness(studio, request) if isinstance(item, Rates)]


# ------------------------------------------------------------------------------------------------------------ rates


def test_rates_are_those_of_the_attack_run_by_hand(studio):
    (row,) = rows(studio, ask("stripes-at", attacks=("fgsm",)))
    net, _ = studio.model("stripes-at")
    test = studio.test_images("stripes").first(20)
    x, y = test.floats(), test.labels
    x = x.requires_grad_()
    (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(net(x), y, reduction="sum"), x)
    moved = (x + 0.05 * slope.sign()).clamp(0, 1)
    right = net(x).argmax(1) == y
    assert row.rates["none"] == pytest.approx(right.float().mean().item(), abs=1e-6) and row.rates["none"] > 0.5
    assert row.rates["fgsm"] == pytest.approx((right & (net(moved).argmax(1) == y)).float().mean().item())
    assert (row.norm, row.radius, row.own, row.classes, row.count) == ("linf", 0.05, ("linf", 0.05), 3, 20)


def test_no_attack_changes_the_draws_of_another(studio):
    (alone,) = rows(studio, ask(radius=0.3))
    (among,) = rows(studio, ask(radius=0.3, attacks=tuple(COLUMNS)))
    assert alone.rates["pgd"] == among.rates["pgd"] and list(among.rates) == list(COLUMNS)
    assert all(share <= among.rates["none"] for share in among.rates.values())
    assert among.rates["apgd"] <= among.rates["fgsm"]


def test_a_request_may_name_one_ball_for_all(studio):
    rates = rows(studio, ask("stripes-standard", "stripes-at", norm="linf", radius=0.02))
    assert [(row.norm, row.radius) for row in rates] == [("linf", 0.02)] * 2 and len(groups(rates)) == 1
    apart = rows(studio, ask("stripes-standard", "stripes-at"))
    assert list(groups(apart)) == [("l2", 0.5), ("linf", 0.05)]


def test_the_curve_begins_clean_and_never_rises(studio):
    (row,) = rows(studio, ask(attacks=(), curve=True, radius=1.0))
    radii, shares = zip(*row.curve, strict=True)
    assert radii == rb.RADII and shares[0] == pytest.approx(row.rates["none"], abs=1e-6)  # radius 1: the multiples
    assert list(shares) == sorted(shares, reverse=True) and shares[-1] < shares[0]


def test_the_standard_error_is_that_of_a_share():
    row = Rates("m", "", "l2", 1.0, ("l2", 1.0), 3, {}, (), (), 25, 0)
    assert row.error(0.2) == pytest.approx(0.08) and row.error(1.0) == 0


def test_progress_counts_to_the_end(studio):
    request = ask("stripes-standard", "stripes-at", curve=True)
    steps = [item for item in robustness(studio, request) if isinstance(item, Step)]
    assert [step.done for step in steps] == list(range(1, steps[0].total + 1))
    assert steps[0].total == 2 * (2 + len(rb.RADII))  # two parts of ten images each, and the curve
    assert steps[0].doing == "stripes-standard, PGD-20"


def test_what_speaks_against_a_net_travels_with_its_rates(studio, monkeypatch):
    monkeypatch.setattr(rb, "preflight", lambda net, x, y: [f"{len(x)} images"])
    assert rows(studio, ask())[0].faults == ("20 images",)


def test_columns_are_the_shown_untargeted_rows_with_unchanged_headings():
    kept = {"none": "No attack", "fgsm": "FGSM", "pgd": "PGD-20", "apgd": "Auto-PGD", "energy": "Energy attack"}
    assert kept == COLUMNS and list(COLUMNS) == list(kept)
    mine = Attack("Mine", negated(joint), 3, 0.5, "our choice")
    rows = {
        "mine": mine,
        "short": replace(mine, column="M"),
        "no": replace(mine, shown=False),
        "aim": replace(mine, targeted=True),
    }
    assert rb.columns(rows) == {"none": "No attack", "mine": "Mine", "short": "M"}


def test_a_new_row_of_the_table_is_measured_and_shown(studio, monkeypatch):
    mine = Attack("Mine", negated(joint), 3, 0.5, "our choice")
    monkeypatch.setitem(ATTACKS, "mine", mine)
    monkeypatch.setitem(COLUMNS, "mine", "Mine")
    (row,) = rows(studio, ask(radius=0.3, attacks=("mine",)))
    assert row.rates["mine"] <= row.rates["none"]
    one = next(one for one in attacked(studio, AttackedRequest("stripes-standard", "test", count=2)) if one.attack == "mine")
    table = words_robustness.effects([one], "mine")
    assert "Mine" in table and "climbs" not in table
    monkeypatch.setitem(ATTACKS, "mine", replace(mine, climbs="the moon"))
    assert "climbs the moon" in words_robustness.effects([one], "mine")


class Overflowing(torch.nn.Module):
    """Answers that overflow for bright images: the first of them, and those that an attack makes so."""

    def __init__(self, net, limit):
        super().__init__()
        self.net, self.limit = net, limit

    def forward(self, x):
        f = self.net(x)
        return torch.where((x.flatten(1).mean(1) > self.limit)[:, None], f * torch.inf, f)


def test_answers_not_finite_count_as_wrong_and_their_number_is_told(studio, monkeypatch):
    net, card = studio.model("stripes-standard")
    x = studio.test_images("stripes").first(20).floats()
    limit = x.flatten(1).mean(1).sort().values[-3].item() - 1e-6  # three are above
    monkeypatch.setattr(Studio, "model", lambda self, name: (Overflowing(net, limit).eval(), card))
    monkeypatch.setattr(rb, "preflight", lambda net, x, y: [])  # which looks at the first hundred images alone
    (row,) = rows(studio, ask(radius=0.5, norm="linf"))
    assert row.rates["none"] <= 17 / 20
    assert any("not finite for 3 of 20 images" in fault for fault in row.faults)


@pytest.mark.parametrize(
    ("norm", "radius", "told"), [("l2", 2.0, "L2, ε = 2"), ("linf", 0.2, "L∞, ε = 0.2"), ("linf", 8 / 255, "L∞, ε = 8/255")]
)
def test_a_threat_model_in_words(norm, radius, told):
    assert within(norm, radius) == told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": ()}, "0 models are chosen; choose 1 to 12"),
        ({"models": ("nobody",)}, "models is 'nobody'"),
        ({"models": ("stripes-at", "elsewhere")}, "'elsewhere' of mnist"),
        ({"models": ("judge",)}, "'judge' is of kind 'spectral', which is unknown here; known are classifier, encoder"),
        ({"attacks": ("targeted",)}, "attack is 'targeted'"),
        ({"norm": "l1"}, "norm is 'l1'; choose one of l2, linf"),
        ({"radius": 0}, "ε (radius) is 0; give a number from 0.001 to 100"),
        ({"count": 9}, "count is 9; give a whole number from 10 to 2000"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_input_names_value_and_range(studio, change, words):
    save("elsewhere", 5, data="mnist")
    save("judge", 6, kind="spectral")
    with pytest.raises(BadInput) as raised:
        list(robustness(studio, replace(ask(), **change)))
    assert words in str(raised.value)


def test_without_test_images_it_says_what_to_do(alone):
    with pytest.raises(BadInput, match=r"not on this machine.*CEMVIZ_DATA"):
        rows(alone, ask())


# ------------------------------------------------------------------------------------------------------ what ships


@pytest.mark.slow
def test_shipped_rates_equal_measured_ones_without_images_or_nets(studio, monkeypatch, tmp_path):
    steps = measured(studio)
    assert steps[-1]["path"].endswith("robustness/stripes.json") and steps[-1]["bytes"] > 0
    fresh = rows(studio, ask("stripes-standard", "stripes-at", attacks=tuple(COLUMNS), count=24, curve=True))
    monkeypatch.setattr(Studio, "model", lambda *a: pytest.fail("a model was loaded"))
    monkeypatch.setattr(Studio, "test_images", lambda *a: pytest.fail("images were looked for"))
    rates, notes = ready(studio, ("stripes-standard", "stripes-at"))
    assert rates == fresh and not notes and all(row.ready for row in rates) and not any(row.ready for row in fresh)


@pytest.mark.slow
def test_a_model_trained_anew_is_stale_and_only_it_is_measured_again(studio):
    measured_before(studio)
    save("stripes-at", 9, norm="linf", radius=0.05)
    rates, notes = ready(studio, ("stripes-standard", "stripes-at"))
    assert [row.model for row in rates] == ["stripes-standard"]
    assert len(notes) == 1 and "anew" in notes[0] and "stripes-at" in notes[0]
    assert "python -m cemviz assets stripes --only robustness" in notes[0]
    doing = [item.doing for item in measured(studio) if isinstance(item, Step)]
    assert doing and all(words.startswith("robustness stripes-at, ") for words in doing)
    assert shipped("stripes")["stripes-at"].sha256 == store.read_card("stripes-at").sha256


@pytest.mark.slow
def test_making_again_gives_the_same_bytes_and_forgets_missing_models(studio):
    path = measured_before(studio)
    before = path.read_bytes()
    path.unlink()
    measured(studio)
    assert path.read_bytes() == before
    (store.folder() / "stripes-at.json").unlink()
    measured(studio)
    assert list(shipped("stripes")) == ["stripes-standard"]


def test_what_was_never_measured_is_said(studio):
    rates, notes = ready(studio, ("stripes-standard",))
    assert not rates and "Not measured yet: stripes-standard" in notes[0] and shipped("nothing") == {}


@pytest.mark.parametrize("text", ["{", "{}", '{"rows": [{"model": "x"}]}'])
def test_a_spoiled_file_is_refused_with_the_cure(places, text):
    path = store.folder() / "robustness" / "stripes.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(BrokenCheckpoint, match="assets stripes --only robustness"):
        shipped("stripes")


@pytest.mark.slow
def test_a_row_is_plain_json(studio):
    row = json.loads(measured_before(studio).read_text())["rows"][0]
    assert set(row) == set(asdict(shipped("stripes")[row["model"]])) - {"ready"}


def test_making_says_what_it_skips(places):
    assert "no classifier" in measured(Studio(choose("cpu")))[0]["skipped"]
