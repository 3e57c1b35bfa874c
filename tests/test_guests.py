"""Models of a visitor's own: found by their whole name alone, gone with their visitor, kept only on one's own machine."""

import os
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from foreign import Trades, trained

from cemviz.backend import store
from cemviz.backend.checks import BadInput, choice
from cemviz.backend.device import choose
from cemviz.backend.foreign import guests
from cemviz.backend.foreign.bring import bring
from cemviz.backend.requests import ImportRequest, SampleRequest
from cemviz.backend.sample.chains import Chains, sample
from cemviz.backend.studio import Studio
from cemviz.backend.use_case import follow
from cemviz.ui import selection
from cemviz.ui.controls import Session, prose_of
from cemviz.ui.digit.handlers import readers
from cemviz.ui.landscape.handlers import drawable
from cemviz.ui.robustness.handlers import offered
from cemviz.ui.yours import handlers as do
from cemviz.ui.yours import words


@pytest.fixture
def studio(places, monkeypatch):
    monkeypatch.chdir(places)
    monkeypatch.delenv("SPACE_ID", raising=False)
    return Studio(choose("cpu"))


@pytest.fixture
def file(studio):
    torch.save(trained(Trades(depth=10, widen=1, classes=3)).state_dict(), "mine_l2_0_5.pt")
    return "mine_l2_0_5.pt"


def brought(studio, file):
    return follow(bring(studio, ImportRequest(file, dataset="stripes"), guests.key()))[-1]


GIVEN = {"file": None, "repository": "", "dataset": "stripes", "scale": words.GUESS, "threat": words.GUESS, "arch": ""}


def asked(session, studio, **values):
    """The panel at the end of a run."""
    shown = {}
    for changes in do.go(studio, session, **GIVEN | values):
        shown |= changes
    return shown


@pytest.fixture(autouse=True)
def toasts(monkeypatch):
    """Messages that the page would show: outside of it gradio has nowhere to put them."""
    said = []
    for kind in ("Info", "Warning"):
        monkeypatch.setattr(do.gr, kind, lambda text, **rest: said.append(text))
    return said


def test_a_guest_is_in_no_list_and_found_by_its_whole_name(studio, file):
    name = brought(studio, file).card.name
    cards = studio.cards()
    assert name not in list(cards) and name in cards and cards[name].radius == 0.5 and cards.get(name) == cards[name]
    assert choice("model", name, cards) == name
    for other in (store.called(name), store.called(name) + "~000000000000", name + "0", name[:-1], "", None, []):
        assert other not in cards and cards.get(other, "none") == "none"
        with pytest.raises((KeyError, TypeError)):
            cards[other]
    assert [*readers(studio), *(n for _, n in drawable(studio))].count(name) == 0
    assert not store.left_out()


def test_a_guest_is_sampled_from_like_any_model_and_called_without_its_key(studio, file):
    item = brought(studio, file)
    *steps, chains = follow(sample(studio, SampleRequest(item.card.name, "rcs", start="uniform", count=2, steps=2)))
    assert isinstance(chains, Chains) and chains.card.name == item.card.name
    assert {step.line for step in steps if hasattr(step, "line")} <= {store.called(item.card.name)}
    assert "~" not in words.short(item) and "~" not in words.summary(item).partition("(?tab")[0]
    assert f"a={item.card.name}&" in item.link and "s.start=" in item.link
    assert words.short(item).endswith(f"; {item.first_run}.")
    other = replace(item, card=replace(item.card, data="unknown"))
    assert "images of 3 × 8 × 8, of no set known here" in words.short(other)


def test_keys_are_long_and_never_the_same():
    keys = {guests.key() for _ in range(100)}
    assert len(keys) == 100 and all(store.is_guest(f"net{key}") for key in keys)


def test_forget_removes_both_files_and_nothing_else(studio, file):
    first, second = (brought(studio, file).card.name for _ in range(2))
    guests.forget(first)
    left = sorted(path.name for path in (store.folder() / "visitors").iterdir())
    assert len(left) == 2 and all(part.startswith(second) for part in left)
    follow(bring(studio, ImportRequest(file, "plain", dataset="stripes")))
    guests.forget("plain")
    assert "plain" in store.cards(), "what all see is no guest"


def test_keep_stores_a_guest_under_its_own_name_and_refuses_one_that_is_taken(studio, file):
    name = brought(studio, file).card.name
    kept = guests.keep(name)
    assert kept.name == store.called(name) == "mine_l2_0_5" and kept.sha256 == store.cards()[name].sha256
    net, _ = studio.model("mine_l2_0_5")
    x = torch.rand(2, *kept.shape)
    assert torch.equal(net(x), studio.model(name)[0](x))
    with pytest.raises(BadInput, match="already"):
        guests.keep(name)


def test_a_hosted_page_keeps_nothing(studio, file, monkeypatch):
    name = brought(studio, file).card.name
    monkeypatch.setenv("SPACE_ID", "a/b")
    with pytest.raises(BadInput, match="keeps no nets"):
        guests.keep(name)
    assert store.called(name) not in store.cards()


def test_guests_that_a_killed_server_left_go_and_a_full_house_is_said(studio, file, monkeypatch):
    old, new = (brought(studio, file).card.name for _ in range(2))
    place = store.folder() / "visitors"
    for path in place.glob(f"{old}*"):
        os.utime(path, (0, 0))
    guests.make_room()
    assert old not in store.cards() and new in store.cards()
    monkeypatch.setattr(guests, "MOST_BYTES", 100)
    with pytest.raises(BadInput, match="come back"):
        guests.make_room()
    assert asked_fails(studio, file, "come back")


def asked_fails(studio, file, line):
    with pytest.raises(BadInput, match=line):
        asked(Session(), studio, file=file)
    return True


def test_the_panel_brings_a_net_in_and_says_how_it_was_understood(studio, file, toasts):
    session = Session()
    shown = asked(session, studio, file=file)
    (name,) = session.nets
    assert session.nets[name] and name in studio.cards()
    assert shown["link"].startswith(f"?tab=sampling&a={name}") and shown["keep"]["visible"]
    assert "by its name" in shown["status"] and "--" not in shown["status"]
    assert "of 30 test images right; a run of 16 chains" in toasts[0] and "chance" in toasts[1]
    for menu in (selection.models, selection.beside, drawable, offered):
        assert name in [value for _, value in menu(studio, session.nets)] and name not in [value for _, value in menu(studio)]


@pytest.mark.parametrize(
    ("text", "norm", "radius"),
    [("L2 .5", "l2", 0.5), ("l∞ 8 / 255", "linf", 8 / 255), ("Linf 0.3", "linf", 0.3), (" l_2 1 ", "l2", 1)],
)  # fmt: skip
def test_a_threat_model_is_read_as_people_write_it(studio, file, text, norm, radius):
    session = Session()
    asked(session, studio, file=file, threat=text)
    card = studio.cards()[next(iter(session.nets))]
    assert (card.norm, card.radius) == (norm, pytest.approx(radius))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "no net is given"),
        ({"repository": "/etc/passwd"}, "hf:USER/REPO"),
        ({"repository": "hf:../../x"}, "hf:USER/REPO"),
        ({"repository": "checkpoints/mnist-at.safetensors"}, "hf:USER/REPO"),
        ({"file": "mine_l2_0_5.pt", "threat": "L1 3"}, "L2 .5"),
        ({"file": "mine_l2_0_5.pt", "threat": "L2 1000"}, "0.001 to 100"),
        ({"file": "mine_l2_0_5.pt", "scale": "1;2"}, "scale is '1;2'"),
        ({"file": "mine_l2_0_5.pt", "dataset": "mnist"}, "mnist"),
        ({"file": "gone.pt"}, "cannot be read"),
    ],
)
def test_what_cannot_be_brought_in_is_said_and_leaves_nothing(studio, file, values, line):
    session = Session()
    shown = {}
    with pytest.raises(BadInput, match=line):
        for changes in do.go(studio, session, **GIVEN | values):
            shown |= changes
    assert shown["status"].startswith("**No net was brought in:**") and not shown["link"] and not session.nets
    assert not (store.folder() / "visitors").is_dir()


def test_a_visitor_has_three_nets_at_a_time(studio, file):
    session = Session()
    for _ in range(do.MOST):
        asked(session, studio, file=file)
    oldest = list(session.nets)[-1]
    session.nets["theirs~0123456789ab"] = False
    asked(session, studio, file=file)
    assert oldest not in session.nets and oldest not in studio.cards()
    assert sum(session.nets.values()) == do.MOST and "theirs~0123456789ab" in session.nets


def test_nets_and_file_go_with_their_visitor_and_those_of_others_stay(studio, file):
    session, other = Session(), Session()
    do.dropped(studio, session, file=file)
    asked(session, studio, file=file)
    asked(other, studio, file=file)
    (mine,), (theirs,) = session.nets, other.nets
    session.nets[theirs] = False  # by a link
    session.leave()
    assert mine not in studio.cards() and theirs in studio.cards() and not os.path.exists(file)


def test_another_file_takes_the_place_of_the_one_before(studio, file, tmp_path):
    session, second = Session(), tmp_path / "second.pt"
    second.write_bytes(b"x")
    do.dropped(studio, session, file=file)
    do.dropped(studio, session, file=file)
    assert os.path.exists(file)
    do.dropped(studio, session, file=str(second))
    assert not os.path.exists(file) and second.exists()
    do.dropped(studio, session, file=None)
    assert not second.exists()


def test_keep_on_the_page_is_of_the_newest_net(studio, file):
    session = Session()
    with pytest.raises(BadInput, match="no net of your own"):
        do.keep(studio, session)
    asked(session, studio, file=file)
    assert "mine_l2_0_5" in do.keep(studio, session)["status"] and "mine_l2_0_5" in store.cards()


@pytest.mark.parametrize(("dataset", "said"), [("stripes", "stripes"), (words.GUESS, "none of these")])
def test_the_panel_says_beside_each_question_what_was_found(studio, file, dataset, said):
    shown = asked(Session(), studio, file=file, dataset=dataset, scale="none")
    told = {name: shown[name]["info"] for name in ("dataset", "scale", "threat")}
    assert told["dataset"] == f"found: {said}" and told["threat"] == "found: l2 0.5, by its name"
    assert told["scale"].startswith("found: none")


@pytest.mark.slow
def test_the_panel_takes_the_name_of_an_architecture(studio):
    from torchvision import models

    with torch.random.fork_rng():
        net = trained(models.mobilenet_v3_small(weights=None, num_classes=3))
    torch.save(net.state_dict(), "net.pt")
    shown = asked(Session(), studio, file="net.pt", arch=" torchvision:mobilenet_v3_small ")
    assert "built by torchvision:mobilenet_v3_small" in shown["status"]
    session = Session()
    with pytest.raises(BadInput, match="arch is 'mobilenet'"):
        asked(session, studio, file="net.pt", arch="mobilenet")
    assert not session.nets


def test_a_run_that_is_stopped_brings_nothing_in(studio, file):
    session = Session()
    assert do.halt(studio, session) == {"status": do.gr.skip()}
    work = do.go(studio, session, **GIVEN | {"file": file})
    assert next(work)["status"] == "Reading..."
    next(work)
    assert do.halt(studio, session)["status"] == do.STOPPED
    assert [changes["status"] for changes in work] == [do.STOPPED] and not session.nets


def test_the_panel_reads_no_programs_of_visitors_on_a_hosted_page(studio, file, monkeypatch):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 3)).eval()
    torch.jit.trace(net, torch.rand(2, 3, 8, 8)).save("program.pt")
    monkeypatch.setenv("SPACE_ID", "a/b")
    assert asked_fails(studio, "program.pt", "is a program")
    session = Session()
    assert asked(session, studio, file=file)["keep"]["visible"] is False, "what holds tensors alone is welcome"


def test_an_address_names_a_guest_only_to_who_has_it_whole(studio, file):
    from cemviz.ui.page import build

    name = brought(studio, file).card.name
    page = build(studio)
    restore = next(fn.fn for fn in page.fns.values() if getattr(fn.fn, "__name__", "") == "restore")
    menu = next(block for block in page.blocks.values() if getattr(block, "elem_id", "") == "sel-a")
    for text, found in ((name, True), (store.called(name), False), (name[:-1] + "x", False)):
        session = Session()
        changes = restore(session, SimpleNamespace(query_params={"a": text}))
        values = [value for _, value in changes.get(menu, {}).get("choices", menu.choices)]
        assert (name in values) == found and (changes.get(menu, {}).get("value") == name) == found
        assert session.nets == ({name: False} if found else {})


def test_what_a_refusal_names_stands_in_prose_as_it_is(studio):
    torch.save({"net": torch.nn.Linear(2, 2)}, "__main__<b>*.pt")
    shown = []
    with pytest.raises(BadInput):
        shown.extend(do.go(studio, Session(), **GIVEN | {"file": "__main__<b>*.pt"}))
    last = shown[-1]
    assert r"\_\_main\_\_\<b\>\*.pt holds more than tensors" in last["status"]


def test_what_is_said_of_a_file_goes_with_it(studio, file):
    assert do.dropped(studio, Session(), file=None) == {"status": ""}
    assert do.dropped(studio, Session(), file=file)["status"] == gr.skip()


def test_no_line_on_screen_has_the_key_of_a_visitor_s_net():
    name = f"own{guests.key()}"
    assert store.unkeyed(f"{name}: 5 of 9") == "own: 5 of 9"
    assert prose_of(KeyError(f"no model {name!r}")) == "no model 'own'"
