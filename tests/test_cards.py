"""Cards: checked before anything is built, one line for every fault, and roles that no name decides."""

import copy
import json
import os
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cards import ARGS, card, net

from cemviz.backend import kinds, store
from cemviz.backend.sample.crowd import probe_of
from cemviz.backend.store import BrokenCheckpoint
from cemviz.backend.stored import files
from cemviz.nets import NETS, build
from cemviz.training.recipes import RECIPES

WIDE = {"mean": [0.5], "std": [0.25], "outputs": 3}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    return tmp_path


@pytest.fixture
def stored(folder):
    store.save(net(), card())
    return folder


def rewritten(folder: Path, change) -> None:
    values = json.loads((folder / "toy.json").read_text())
    change(values)
    (folder / "toy.json").write_text(json.dumps(values))


WRONG = [
    ("kind", "Wizard 3", "give a word of small letters"), ("kind", ["classifier"], r"kind is \['classifier'\]"),
    ("role", "king", "choose one of model, judge, probe, evidence"), ("origin", 1, "choose one of recipe, foreign"),
    ("norm", "l3", "choose one of l2, linf"), ("net", "alexnet", "choose one of mlp, small-cnn"), ("net", None, "text"),
    ("data", None, "name of a data set"), ("data", ["mnist"], "name of a data set"), ("data", "", "name of a data set"),
    ("data", "../../etc", "name of a data set"), ("data", "/etc", "name of a data set"),
    ("shape", [0, 8, 8], "whole numbers from 1"), ("shape", [1, -8, 8], "whole numbers from 1"),
    ("shape", [1, 8], "whole numbers"),
    ("shape", "1x8x8", "whole numbers"), ("shape", [1, 8, 10**9], "to 4096"), ("shape", [1.0, 8, 8], "whole numbers"),
    ("shape", [3, 8, 8], "takes 1 channels"), ("shape", [True, 8, 8], "whole numbers"), ("shape", [16, 4096, 4096], "in all"),
    ("classes", [], "different names"), ("classes", ["a", "a", "b"], "different names"), ("classes", "abc", "different names"),
    ("classes", ["a", "b"], "the net has 3 outputs"), ("classes", ["a", "b", "c", "d"], "the net has 3 outputs"),
    ("classes", ["a", "b", 3], "different names"), ("classes", ["a", "b", ""], "different names"),
    ("radius", "big", "at least 0"), ("radius", -1, "at least 0"), ("radius", None, "at least 0"),
    ("radius", True, "at least 0"),
    ("seed", 1.5, "whole number"), ("steps", -1, "at least 0"), ("seconds", None, "at least 0"), ("title", "a\nb", "one line"),
    ("metrics", [], "object of objects"), ("metrics", {"accuracy": 1}, "object of objects"),
    ("metrics", {"accuracy": {"value": "high"}}, "object of objects"), ("sha256", "abc", "64 letters"),
    ("recipe_args", None, "object"), ("net_args", [], "object"), ("net_args", WIDE | {"height": 1}, "does not know"),
    ("net_args", WIDE | {"width": 10**9}, "up to 8,192"), ("net_args", WIDE | {"width": 8192, "depth": 3}, "weights"),
    ("net_args", WIDE | {"depth": 10**6}, "up to 300"), ("net_args", WIDE | {"depth": 299}, "cannot be built"),
    ("net_args", WIDE | {"width": "8"}, "width is '8'"), ("net_args", WIDE | {"width": 0}, "cannot be built"),
    ("net_args", WIDE | {"norm": "odd"}, "cannot be built"), ("net_args", WIDE | {"activation": ["relu"]}, "activation is"),
    ("net_args", WIDE | {"mean": [0.5] * 10**4}, "mean is"), ("net_args", WIDE | {"mean": "grey"}, "mean is"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "said"), WRONG)
def test_an_impossible_field_is_one_line_naming_file_field_and_value(stored, key, value, said):
    rewritten(stored, lambda values: values.update({key: value}))
    began = time.monotonic()
    with pytest.raises(BrokenCheckpoint, match=said) as caught:
        store.load("toy")
    line = str(caught.value)
    assert time.monotonic() - began < 1 and "\n" not in line and len(line) < 600
    assert "the card toy.json cannot be read" in line and key in line and "train the model again" in line
    assert store.cards() == {} and store.left_out() == [line]


@pytest.mark.parametrize("key", ["title", "kind", "net", "net_args", "shape", "classes", "command", "norm"])
def test_a_missing_field_is_named(stored, key):
    rewritten(stored, lambda values: values.pop(key))
    with pytest.raises(BrokenCheckpoint, match=f"it has no field {key}"):
        store.read_card("toy")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"shape": 3, "classes": 4}', "[" * 10**5])
def test_an_unreadable_card_is_refused_and_stops_no_list(stored, text):
    store.save(net(), card("other"))
    (stored / "toy.json").write_text(text)
    with pytest.raises(BrokenCheckpoint, match=r"the card toy.json cannot be read"):
        store.load("toy")
    assert list(store.cards()) == ["other"] and len(store.left_out()) == 1


def test_a_large_net_is_refused_before_it_is_built(stored, monkeypatch):
    rewritten(stored, lambda values: values.update(net="resnet18", net_args=WIDE | {"mean": [0.5], "width": 4096}))
    monkeypatch.setattr("cemviz.backend.stored.models.build", lambda *_, **__: pytest.fail("built"))
    with pytest.raises(BrokenCheckpoint, match=r"would have 45,\d+,\d+,\d+ weights, 500,000,000 at most"):
        store.load("toy")


def test_a_shape_that_the_net_does_not_take_is_said_on_loading(stored):
    args = ARGS | {"flat": 2}
    store.save(build("small-resnet", **args), card(net_args=args))
    assert store.load("toy")
    rewritten(stored, lambda values: values.update(shape=[1, 28, 28]))
    with pytest.raises(BrokenCheckpoint, match=r"says shape \[1, 28, 28\], which its net small-resnet does not take"):
        store.load("toy")


@pytest.mark.parametrize("weight", [True, False])
def test_a_program_of_huge_tensors_is_refused_before_it_is_built(stored, weight):
    huge = {
        "steps": [["%a", "relu.default", [{"of": "w"}], {}]],
        "result": "%a",
        "tensors": {"w": [[10**6] * 2, "float32", weight]},
    }
    rewritten(stored, lambda values: values.update(net="graph", net_args=WIDE | {"program": json.dumps(huge)}))
    with pytest.raises(BrokenCheckpoint, match=r"graph would have 1,000,000,000,00\d weights"):
        store.read_card("toy")


@pytest.mark.parametrize("name", list(NETS))
def test_every_net_s_usual_arguments_are_right(folder, name):
    args = {"mlp": {"outputs": 3}, "encoder": {"mean": [0.5], "std": [0.25], "projection": [8, 4], "unit": False, "width": 4}}
    usual = args.get(name, {"mean": [0.5], "std": [0.25], "outputs": 3})
    usual |= {"depth": 10, "widen": 1} if name == "wide-resnet" else {}
    store.write_card(card(net=name, net_args=usual, kind="encoder" if name == "encoder" else "classifier"))
    assert store.read_card("toy").net_args == usual


def test_a_bad_card_is_never_written(stored):
    before = (stored / "toy.json").read_text()
    for write in (store.write_card, lambda made: store.save(net(1), made)):
        with pytest.raises(BrokenCheckpoint, match=r"the card of 'toy' cannot be written: classes is"):
            write(card(classes=("a", "b")))
    assert (stored / "toy.json").read_text() == before and len(list(stored.iterdir())) == 2


def odd(random_: random.Random):
    """A value that some field may not expect."""
    deep: object = 1
    for _ in range(random_.choice([3, 40])):
        deep = [deep]
    return random_.choice([
        None, True, 0, -1, 3, 10**30, 1e308, float("nan"), float("inf"), "", "x", "é" * 300, "a\nb", "\x00", "../x", [], {},
        deep, [None], [1, 2, 3], ["a", "b"],
        {"a": 1}, {"value": None}, {"width": -5}, {"depth": 10**7}, [10**9] * 3, [[]] * 3, "inf",
    ])  # fmt: skip


def mutated(values: dict, random_: random.Random) -> dict:
    """A card with one to three values, at any depth, replaced, removed or added."""
    values = copy.deepcopy(values)
    for _ in range(random_.randint(1, 3)):
        place = values
        while random_.random() < 0.4 and (nested := [v for v in place.values() if isinstance(v, dict) and v]):
            place = random_.choice(nested)
        key = random_.choice([*place, "new", "depth", "width"])
        if random_.random() < 0.15:
            place.pop(key, None)
        else:
            place[key] = odd(random_)
    return values


@pytest.mark.parametrize("seed", range(4))
def test_mutated_cards_are_read_or_refused_in_one_line_and_never_take_long(stored, seed):
    values, random_, refused = json.loads((stored / "toy.json").read_text()), random.Random(seed), 0
    for _ in range(150):
        changed = mutated(values, random_)
        (stored / "toy.json").write_text(json.dumps(changed))
        began = time.monotonic()
        try:
            store.load("toy")
        except BrokenCheckpoint as error:
            assert "\n" not in str(error), changed
            refused += 1
        assert time.monotonic() - began < 1, changed
        store.cards(), kinds.judges("stripes"), kinds.compared("stripes")
    assert 60 < refused < 150


def test_cut_and_flipped_bytes_of_a_card_are_refused_or_read(stored):
    text, random_ = (stored / "toy.json").read_bytes(), random.Random(7)
    for _ in range(200):
        content = bytearray(text)
        content[random_.randrange(len(content))] = random_.randrange(256)
        (stored / "toy.json").write_bytes(content[: random_.choice([len(content), random_.randrange(len(content))])])
        try:
            store.load("toy")
        except BrokenCheckpoint:
            pass


# what is kept, and what is left out -------------------------------------------------------------------------------------


def test_fields_of_a_later_version_are_kept_and_written_back(stored):
    rewritten(stored, lambda values: values.update(licence="MIT", unknown={"a": 1}, later=[1, {"b": None}]))
    assert list(store.cards()) == ["toy"] and store.load("toy")
    store.with_metric("toy", "robust", {"value": 0.25})
    store.save(net(1), store.read_card("toy"))
    values = json.loads((stored / "toy.json").read_text())
    assert (values["licence"], values["unknown"], values["later"]) == ("MIT", {"a": 1}, [1, {"b": None}])
    assert values["metrics"]["robust"] == {"value": 0.25} and "extra" not in values


def test_what_is_no_card_is_left_out_and_said_in_a_line_each(stored):
    (stored / "toy (1).json").write_text((stored / "toy.json").read_text())
    (stored / "dir.json").mkdir()
    (stored / "link.json").symlink_to(stored / "gone.json")
    (stored / "cut.json").write_text("{")
    assert list(store.cards()) == ["toy"]
    said = store.left_out()
    assert len(said) == 4 and all("\n" not in line for line in said)
    for words in (
        "toy (1).json is no card",
        "dir.json cannot be read (is a directory)",
        "link.json cannot be read (it is a link",
    ):
        assert any(words in line for line in said), words


def forbid(monkeypatch, name):
    """No permission to open this file, also for who may open all."""
    real = Path.open

    def guarded(self, *args, **kwargs):
        if self.name == name:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", guarded)


def test_a_card_that_may_not_be_read_is_left_out_and_says_so(stored, monkeypatch):
    store.save(net(), card("other"))
    forbid(monkeypatch, "toy.json")
    assert list(store.cards()) == ["other"] and "toy.json cannot be read (permission denied)" in store.left_out()[0]
    with pytest.raises(BrokenCheckpoint, match="permission denied"):
        store.load("toy")


def test_weights_that_may_not_be_read_are_named_with_the_reason(stored, monkeypatch):
    path = store.weights_path(store.read_card("toy"))
    forbid(monkeypatch, path.name)
    with pytest.raises(BrokenCheckpoint, match=rf"{path.name} cannot be read \(permission denied\)"):
        store.load("toy")


def test_a_card_that_is_removed_while_the_folder_is_read_is_no_fault(stored, monkeypatch):
    from cemviz.backend.stored import cards

    monkeypatch.setattr(cards.os, "listdir", lambda _: ["gone.json", "toy.json"])
    assert list(store.cards()) == ["toy"] and store.left_out() == []


def test_no_folder_is_no_models_and_a_file_in_its_place_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path / "none"))
    assert (store.cards(), store.left_out()) == ({}, [])
    (tmp_path / "none").write_text("")
    assert store.cards() == {} and "cannot be read (not a directory)" in store.left_out()[0]


# roles ------------------------------------------------------------------------------------------------------------------


def test_names_decide_nothing(folder):
    for name, role in (("stripes-judge-of-mine", "model"), ("mine", "judge"), ("stripes-judge", "judge"), ("toy", "model")):
        store.save(net(), card(name, role=role, recipe="stripes-judge" if role == "judge" else "mnist-at"))
    store.save(net(), card("elsewhere", role="judge", data="moons"))
    assert kinds.judges("stripes") == ["stripes-judge", "mine"]
    assert [c.name for c in kinds.compared("stripes")] == ["stripes-judge-of-mine", "toy"]


def test_an_encoder_s_probe_is_the_one_that_reads_it_whatever_its_name(folder):
    args = {"mean": [0.5], "std": [0.25], "projection": [8, 4], "width": 4}
    encoder = card("enc", kind="encoder", net="encoder", net_args=args)
    store.save(build("encoder", **args), encoder)
    store.save(net(), card("enc-probe", recipe_args={"encoder": "enc"}))  # a model that only names it
    assert probe_of(encoder) is None
    for name in ("a-reader", "enc-probe"):
        store.save(net(), card(name, role="probe", recipe_args={"encoder": "enc"}))
        assert probe_of(encoder) == name
    assert probe_of(replace(encoder, name="other")) is None


def test_judges_among_the_recipes_are_those_that_are_called_so():
    roles = {name: {row.role for row in rows.values()} for name, rows in RECIPES.items()}
    assert {name for name, kinds in roles.items() if kinds == {"judge"}} == {name for name in roles if "-judge" in name}
    assert all(len(kinds) == 1 for kinds in roles.values())


def test_shipped_cards_say_their_role():
    for path in (Path(__file__).parents[1] / "checkpoints").glob("*.json"):
        values = json.loads(path.read_text())
        usual = "probe" if values["recipe_args"].get("encoder") else RECIPES[values["recipe"]][values["scale"]].role
        assert (values["role"], values["origin"]) == (usual, "recipe"), path


@pytest.mark.parametrize("age", [0, 5, 10_000], ids=["just now", "seconds ago", "hours ago"])
def test_a_card_that_changed_is_read_anew_and_an_unchanged_one_is_read_once(stored, monkeypatch, age):
    read_json, reads = files.read_json, []
    monkeypatch.setattr(files, "read_json", lambda *given: reads.append(given) or read_json(*given))
    for seconds, title in ((age + 2, "first"), (age, "other")):  # of one length: the size tells nothing
        rewritten(stored, lambda values, title=title: values.update(title=title))
        os.utime(stored / "toy.json", ns=(time.time_ns() - seconds * 10**9,) * 2)
        reads.clear()
        assert [store.read_card("toy").title for _ in range(4)] == [title] * 4
        assert len(reads) == (1 if seconds > 1 else 4)


def test_a_net_is_headed_by_words_and_one_of_somebody_s_own_by_its_file():
    trained = replace(card("toy~key"), title="Stripes, adversarial (L2 1)")
    assert trained.heading == "Adversarial (L2 1)" and replace(trained, origin="foreign").heading == "toy"
