"""Answers of handlers on the page: all that is named is as gradio has it, and nothing else is made anew."""

import gradio as gr
import pytest
from conftest import awaited

from cemviz.ui.manners import Page


@pytest.fixture
def page():
    """A page with one event that sets four parts, a visitor's state among them, and one that sets one."""
    with Page() as page:
        parts = {"number": gr.Number(1), "menu": gr.Dropdown(["a", "b"]), "line": gr.Markdown(""), "state": gr.State(0)}
        several = gr.Button().click(lambda: None, None, list(parts.values()))
        single = gr.Button().click(lambda: None, None, parts["line"])
    page.several, page.single, page.parts = page.fns[several["id"]], page.fns[single["id"]], parts
    return page


ANSWERS = {
    "a value": lambda: {"number": 2},
    "no value": lambda: {"number": None},
    "a property": lambda: {"menu": gr.update(choices=["a", "c"])},
    "both": lambda: {"menu": gr.update(choices=["c"], value="c"), "line": "x"},
    "a component": lambda: {"menu": gr.Dropdown(["d"], value="d")},
    "the state": lambda: {"state": 5, "line": gr.skip()},
    "all": lambda: {"number": 3, "menu": "b", "line": "y", "state": 6},
    "skips": lambda: {"number": gr.skip(), "line": gr.skip()},
}


@pytest.mark.parametrize("words", ANSWERS)
def test_an_answer_is_what_gradio_makes_of_it(page, words):
    own, whole = ({page.parts[name]: value for name, value in ANSWERS[words]().items()} for _ in range(2))
    got = awaited(page.postprocess_data(page.several, own, None))
    assert got == awaited(gr.Blocks.postprocess_data(page, page.several, whole, None))


@pytest.mark.parametrize("answer", [lambda: "x", lambda: gr.update(value="x"), gr.skip], ids=["value", "property", "skip"])
@pytest.mark.parametrize("named", [True, False])
def test_an_event_with_one_output_answers_as_gradio_has_it(page, answer, named):
    own, whole = ({page.parts["line"]: answer()} if named else answer() for _ in range(2))
    got = awaited(page.postprocess_data(page.single, own, None))
    assert got == awaited(gr.Blocks.postprocess_data(page, page.single, whole, None))


def test_what_an_answer_leaves_is_not_made_anew(page, monkeypatch):
    class Counted(gr.Dropdown):
        made = 0

        def __init__(self, *args, **kwargs):
            Counted.made += 1
            super().__init__(*args, **kwargs)

    with Page() as other:
        parts = [Counted(["a"]), gr.Markdown("")]
        event = other.fns[gr.Button().click(lambda: None, None, parts)["id"]]
    for answer in ({parts[1]: "x"}, {}, gr.skip(), {parts[0]: gr.skip()}):
        told = awaited(other.postprocess_data(event, answer, None))
        assert told[0] == gr.skip() and Counted.made == 1
    awaited(other.postprocess_data(event, {parts[0]: gr.update(label="b")}, None))
    assert Counted.made == 2


def test_each_word_of_a_stream_is_told_whole(page):
    words = [["a", gr.update(choices=["b"], value="b")], [gr.skip(), gr.skip()], ["c", gr.update(label="d")]]
    event = page.several
    told = [page.handle_streaming_diffs(event, [*word, 0, 0], "visitor", "run", final=False) for word in words]
    assert told[0][:2] == words[0]
    for word, tells in zip(words[1:], told[1:], strict=True):
        assert tells[:2] == [[["replace", [], value]] for value in word]
    assert page.handle_streaming_diffs(event, [None] * 4, "visitor", "run", final=True)[:2] == words[-1]
    assert "run" not in page.pending_diff_streams["visitor"]
