"""Models to and from the Hub, with a local folder in its place: what was published is what is pulled, byte for byte."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import safetensors.torch
import torch
from cards import card, net
from foreign import Trades, trained

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.foreign import hub
from cemviz.backend.foreign.bring import bring
from cemviz.backend.requests import ImportRequest, PublishRequest, PullRequest
from cemviz.backend.studio import Studio
from cemviz.backend.use_case import follow


class Folder:
    """The part of huggingface_hub's client that is used, on a folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.fetched, self.claims = root, [], {}

    def create_repo(self, repo_id, exist_ok=False):
        (self.root / repo_id).mkdir(parents=True, exist_ok=exist_ok)

    def upload_folder(self, *, repo_id, folder_path, commit_message):
        shutil.copytree(folder_path, self.root / repo_id, dirs_exist_ok=True)

    def model_info(self, repo_id, files_metadata=False):
        if not (self.root / repo_id).is_dir():
            raise OSError(f"404: no repository\n{repo_id}")
        files = [path for path in sorted((self.root / repo_id).rglob("*")) if path.is_file()]
        names = [str(path.relative_to(self.root / repo_id)) for path in files]
        sizes = [self.claims.get(name, path.stat().st_size) for name, path in zip(names, files, strict=True)]
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=n, size=s) for n, s in zip(names, sizes, strict=True)])

    def hf_hub_download(self, repo_id, filename, local_dir=None):
        self.fetched.append(filename)
        found = self.root / repo_id / filename
        self.borrowed = local_dir and Path(local_dir)
        return str(found if local_dir is None else shutil.copy(found, local_dir))


@pytest.fixture
def there(places, monkeypatch):
    folder = Folder(places / "hub")
    monkeypatch.setattr(hub, "api", lambda: folder)
    monkeypatch.chdir(places)
    return folder


def run(use_case, request):
    return follow(use_case(Studio(choose("cpu")), request))[-1]


def test_a_published_model_is_pulled_byte_for_byte_with_its_card(there):
    store.save(net(), card(notes="ours", metrics={"accuracy": {"value": 0.5, "count": 30}}), full=True)
    before = store.read_card("toy")
    done = run(hub.publish, PublishRequest("toy", "hf:someone/toy"))
    assert done == {
        "model": "toy", "repository": "hf:someone/toy", "files": ["model.safetensors", "card.json", "README.md"],
    }  # fmt: skip
    assert run(hub.pull, PullRequest("hf:someone/toy", "again"))["sha256"] == before.sha256
    again, kept = store.load("again")
    assert kept.as_json() == before.as_json() | {"name": "again"}
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), net().state_dict().values(), strict=True))


def test_the_readme_of_a_repository_is_made_of_the_card(there):
    store.save(net(), card(metrics={"accuracy": {"value": 0.5, "count": 30}}))
    run(hub.publish, PublishRequest("toy", "hf:someone/toy"))
    text = (there.root / "someone" / "toy" / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: cemviz\n") and "license: mit" in text and "| accuracy | 0.5 | 30 |" in text
    assert "python -m cemviz pull hf:someone/toy" in text and "l2, radius 0.5" in text
    assert "license" not in hub.readme(card(origin="foreign", notes="Trained elsewhere."), "a/b")


def test_a_name_that_is_taken_stays_what_it_is(there):
    store.save(net(), card())
    run(hub.publish, PublishRequest("toy", "hf:someone/toy"))
    for use_case, request in ((hub.pull, PullRequest("hf:someone/toy")), (bring, ImportRequest("hf:someone/toy"))):
        with pytest.raises(BadInput, match="there is a model 'toy' already; give another name with --as"):
            run(use_case, request)


def spoiled(place, change):
    values = json.loads((place / "card.json").read_text())
    change(values)
    (place / "card.json").write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda values: values.update(net="alexnet"), "net is 'alexnet'; choose one of"),
        (lambda values: values["net_args"].update(width=10**9), "up to 8,192"),
        (lambda values: values["net_args"].update(width=4), "does not fit the net"),
        (lambda values: values.update(sha256="0" * 64), "does not match its card"),
        (lambda values: values.pop("classes"), "it has no field classes"),
    ],
)
def test_what_does_not_fit_its_card_is_refused_and_leaves_nothing(there, change, said):
    store.save(net(), card())
    run(hub.publish, PublishRequest("toy", "hf:someone/toy"))
    spoiled(there.root / "someone" / "toy", change)
    with pytest.raises(BadInput, match=said) as caught:
        run(hub.pull, PullRequest("hf:someone/toy", "again"))
    assert "\n" not in str(caught.value)
    assert len(list(store.folder().iterdir())) == 2 and list(store.cards()) == ["toy"]


def test_a_name_in_a_card_is_no_path(there):
    store.save(net(), card())
    run(hub.publish, PublishRequest("toy", "hf:someone/toy"))
    spoiled(there.root / "someone" / "toy", lambda values: values.update(name="../../evil"))
    with pytest.raises(BadInput, match=r"model name is '../../evil'"):
        run(hub.pull, PullRequest("hf:someone/toy"))


def weights(there, *names, classes=3):
    place = there.root / "someone" / "foreign"
    place.mkdir(parents=True)
    for name in names:
        torch.save(trained(Trades(depth=10, widen=1, classes=classes)).state_dict(), place / name)
    return place


def test_a_foreign_file_of_the_hub_is_brought_in(there):
    weights(there, "best.pt")
    made = run(bring, ImportRequest("hf:someone/foreign", dataset="stripes", scale="none", name="far"))
    assert made.card.origin == "foreign" and there.fetched == ["best.pt"]
    assert made.card.command == "python -m cemviz import hf:someone/foreign --as far"


@pytest.mark.slow
def test_a_repository_of_timm_says_its_architecture(there):
    timm = pytest.importorskip("timm")
    place = there.root / "timm" / "test"
    place.mkdir(parents=True)
    with torch.random.fork_rng():
        safetensors.torch.save_file(timm.create_model("test_resnet", num_classes=7).state_dict(), place / "model.safetensors")
    (place / "config.json").write_text('{"architecture": "test_resnet", "num_classes": 7}')
    made = run(bring, ImportRequest("hf:timm/test"))
    assert made.card.name == "test"  # model.safetensors says nothing
    assert made.by == "built by timm:test_resnet" and len(made.card.classes) == 7
    (place / "config.json").write_text('{"architecture": "../test_resnet"}')
    with pytest.raises(BadInput, match="command line also takes what builds it"):
        run(bring, ImportRequest("hf:timm/test", name="farther"))


def test_of_several_files_one_is_named(there):
    weights(there, "a.pt", "b.pt")
    with pytest.raises(BadInput, match=r"hf:someone/foreign has a.pt, b.pt; name one: hf:someone/foreign/FILE"):
        run(bring, ImportRequest("hf:someone/foreign", dataset="stripes"))
    made = run(bring, ImportRequest("hf:someone/foreign/b.pt", dataset="stripes", scale="none"))
    assert made.card.name == "b" and there.fetched == ["b.pt"]
    with pytest.raises(BadInput, match=r"has no such file; it has a\.pt, b\.pt"):
        run(bring, ImportRequest("hf:someone/foreign/c.pt", dataset="stripes"))


def test_a_file_that_is_too_large_is_refused_before_it_is_fetched(there):
    weights(there, "a.pt")
    there.claims["a.pt"] = 10**12
    with pytest.raises(BadInput, match=r"a.pt has 1,000,000,000,000 bytes; 4,294,967,296 at most"):
        run(bring, ImportRequest("hf:someone/foreign", dataset="stripes"))
    assert there.fetched == []


def test_a_repository_without_a_card_says_how_to_bring_it_in(there):
    weights(there, "a.pt")
    with pytest.raises(BadInput, match=r"has no card.json of this project; .* cemviz import hf:someone/foreign"):
        run(hub.pull, PullRequest("hf:someone/foreign"))
    assert there.fetched == []


@pytest.mark.parametrize("text", ["someone/toy", "hf:toy", "hf:../x", "hf:a/b/../../c", "hf:a/b?c", "https://a/b"])
def test_what_is_no_repository_is_refused(there, text):
    with pytest.raises(BadInput, match=r"give hf:USER/REPO"):
        run(hub.pull, PullRequest(text))


def test_no_network_or_token_is_one_line(there):
    with pytest.raises(
        BadInput, match=r"hf:a/b cannot be reached \(404: no repository a/b\); check its name, the network"
    ) as caught:
        run(hub.pull, PullRequest("hf:a/b"))
    assert "\n" not in str(caught.value)


@pytest.fixture
def hosted(there, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/page")
    return there


def test_a_hosted_page_asks_the_hub_as_anybody(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert hub.api().token is None
    monkeypatch.setenv("SPACE_ID", "someone/page")
    assert hub.api().token is False


def test_a_hosted_page_keeps_nothing_of_what_a_visitor_had_fetched(hosted):
    weights(hosted, "best.pt")
    made = run(bring, ImportRequest("hf:someone/foreign", dataset="stripes", scale="none", name="far"))
    assert made.card.origin == "foreign" and not hosted.borrowed.exists()


def test_a_hosted_page_fetches_no_more_than_a_visitor_may_upload(hosted):
    weights(hosted, "best.pt")
    hosted.claims["best.pt"] = 2**28 + 1
    with pytest.raises(BadInput, match=r"best.pt has 268,435,457 bytes; 268,435,456 at most are read"):
        run(bring, ImportRequest("hf:someone/foreign"))
    assert hosted.fetched == []


def test_a_hosted_page_runs_no_program_that_a_card_brings_along(there, monkeypatch):
    program = {"steps": [], "result": "%x", "tensors": {}}
    args = {"outputs": 3, "program": json.dumps(program), "mean": [0.0] * 3, "std": [1.0] * 3}
    place = there.root / "someone" / "program"
    place.mkdir(parents=True)
    values = card().as_json() | {"net": "graph", "net_args": args}
    (place / "card.json").write_text(json.dumps(values))
    safetensors.torch.save_file({"a": torch.zeros(1)}, place / "model.safetensors")
    monkeypatch.setenv("SPACE_ID", "someone/page")
    with pytest.raises(BadInput, match="a hosted page runs none of a visitor's"):
        run(bring, ImportRequest("hf:someone/program"))
    assert not list(store.cards())


def test_a_small_file_takes_no_large_net_s_memory(there, monkeypatch):
    torch.save({"fc.weight": torch.zeros(10, 2048), "fc.bias": torch.zeros(10)}, "small.pt")
    with pytest.raises(BadInput, match=r"torchvision:resnet50 has 23,\d+,\d+ weights, and the file holds 20,490 numbers"):
        run(bring, ImportRequest("small.pt", arch="torchvision:resnet50", name="large"))
