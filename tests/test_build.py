"""What an address may set: every kind of control takes what fits it, clamped to its range, and nothing else."""

import gradio as gr
import pytest

from cemviz.ui.build import read

NUMBER = gr.Number(0.5, minimum=0, maximum=10, render=False)
WHOLE = gr.Number(1, minimum=0, precision=0, render=False)
SLIDER = gr.Slider(1, 256, 16, step=1, render=False)
FINE = gr.Slider(0.5, 12, 6, step=0.5, render=False)
MENU = gr.Dropdown([("Standard", "a"), ("Robust", "b")], render=False)
SEVERAL = gr.Dropdown([("Standard", "a"), ("Robust", "b"), ("Third", "c")], multiselect=True, render=False)
LIST = gr.CheckboxGroup(["x", "y"], render=False)
BOX = gr.Checkbox(render=False)
TEXT = gr.Textbox(render=False)


@pytest.mark.parametrize(
    ("component", "text", "value"),
    [
        (NUMBER, "0.25", 0.25), (NUMBER, "-3", 0), (NUMBER, "1e9", 10), (NUMBER, "inf", 10), (NUMBER, "2", 2),
        (WHOLE, "7.9", 7), (WHOLE, "-1", 0), (SLIDER, "999", 256), (SLIDER, "3.7", 3), (FINE, "2.5", 2.5), (FINE, "0", 0.5),
        (MENU, "b", "b"), (SEVERAL, "c,a", ["c", "a"]), (SEVERAL, "c,nope", ["c"]), (LIST, "y", ["y"]),
        (BOX, "true", True), (BOX, "false", False), (TEXT, "3, 7", "3, 7"), (TEXT, "", ""),
    ],
)  # fmt: skip
def test_a_value_that_fits_is_taken_and_a_number_beyond_the_range_is_clamped(component, text, value):
    told = read(component, text)
    assert told == value and type(told) is type(value)


@pytest.mark.parametrize(
    ("component", "text"),
    [
        (NUMBER, "nan"), (NUMBER, "two"), (NUMBER, ""), (WHOLE, "inf"), (SLIDER, "<b>"),
        (MENU, "c"), (MENU, "Robust"), (MENU, ""),
        (SEVERAL, ""), (SEVERAL, "nope"), (LIST, "z"), (BOX, "1"), (TEXT, "<script>"), (TEXT, "x" * 81), (TEXT, "a/b"),
        (gr.HTML(render=False), "anything"),
    ],
)  # fmt: skip
def test_anything_else_leaves_the_control_as_it_is(component, text):
    told = read(component, text)
    assert isinstance(told, dict) and "value" not in told


def test_a_menu_is_asked_for_its_choices_by_now():
    assert read(MENU, "new", [("A model trained since", "new"), "plain"]) == "new"
    assert read(MENU, "plain", [("A model trained since", "new"), "plain"]) == "plain"
    assert isinstance(read(MENU, "a", [("A model trained since", "new")]), dict)
