"""Words of a run in a browser that is held up meanwhile: none is lost."""

import threading

import gradio as gr
import pytest
from pages import MARKS

from cemviz.ui.manners import Page

pytestmark = MARKS


@pytest.fixture
def told(browser):
    """A page whose button has a handler that says each of some words when it is let go on, held up until all are said."""
    opened = []

    def begin(*words):
        go_on, said = threading.Event(), threading.Event()
        with Page() as page:
            parts = {"line": gr.Textbox("", label="line"), "menu": gr.Dropdown(["a"], value="a", label="menu", visible=False)}

            def tell():
                yield gr.skip()
                assert go_on.wait(60)
                for word in words:
                    yield {parts[name]: change for name, change in word.items()}
                yield gr.skip()
                said.set()

            gr.Button("Run").click(tell, None, list(parts.values()))
        page.launch(prevent_thread_lock=True, quiet=True, share=False)
        visit = browser.new_page()
        opened.extend([visit, page])
        visit.goto(page.local_url)
        visit.get_by_role("button", name="Run").click()
        visit.locator(".progress-text, .generating, .eta-bar").first.wait_for(state="attached")
        held = threading.Thread(target=lambda: (go_on.set(), said.wait(60)))
        visit.evaluate("() => setTimeout(() => { const end = Date.now() + 2000; while (Date.now() < end); }, 0)")
        held.start()
        held.join()
        return visit

    yield begin
    for page in opened:
        page.close()


def test_the_last_word_of_a_run_is_shown_by_a_page_that_was_held_up(told):
    page = told(
        {"line": gr.update(value="begun")}, {"line": gr.update(value="ended", label="done"), "menu": gr.update(visible=True)}
    )
    page.get_by_label("menu").wait_for()
    assert page.get_by_label("done").input_value() == "ended"


def test_a_word_is_not_lost_to_the_next_one_that_names_others(told):
    page = told({"menu": gr.update(visible=True)}, {"line": gr.update(value="ended", label="done")})
    page.get_by_label("done").wait_for()
    page.get_by_label("menu").wait_for()
