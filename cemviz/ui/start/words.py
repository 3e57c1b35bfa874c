"""The opening and the seven stations of the tour, as rows: one idea each, asked first and told after.

Words in braces are facts of the shipped artefacts (`backend.tour`), so that no number here can differ from the picture.
"""

import re
from dataclasses import dataclass
from typing import Any

from ..glossary import marked

PERCENT = re.compile(r"(\d)%")


@dataclass(frozen=True, slots=True)
class Station:
    """A station of the tour.

    Attributes:
        view: which of views.js draws it.
        lead: what one looks at.
        reveal: what it shows; after the question where there is one.
        question, answers, right: to predict before it is shown; no answers, no question.
        link, opens: words and address of the place where one can play with it.
        note: for a teacher.
    """

    view: str
    title: str
    lead: str
    reveal: str
    question: str = ""
    answers: tuple[str, ...] = ()
    right: int = 0
    link: str = ""
    opens: str = ""
    note: str = ""


OPENING = Station(
    "opening",
    "A classifier that resists attacks has learned what digits look like",
    "Both nets learned to <em>name</em> digits, and are alike but for their training. Both start from the same noise and take "
    "the same 40 steps downhill on their own energy [[E|E(x, y)]].",
    "Left: trained against attacks, and against what it draws itself (JEAT). Right: trained on digits as they are. Another "
    "net, which had no part in this, reads {panels[robust][read]} of the ten digits on the left and "
    "{panels[standard][read]} on the right. Of a net that was trained against attacks alone it reads {attacks alone} of ten: "
    "such nets need more than pure noise to start from, as Sampling shows.",
    link="See it in Sampling",
    opens="?tab=sampling&s.story=jeat-hero",
)

STATIONS: tuple[Station, ...] = (
    Station(
        "attack",
        "An attack changes little, and the answer changes",
        "One digit, drawn by a net ({attack[drawn by]}), and the worst change of its pixels that each net can be shown, by at "
        "most [[ε]] each.",
        "The standard net changes its mind at ε = {attack[standard][flips]:g}, the other one at {attack[robust][flips]:g}. "
        "Look at the pictures: what fools the standard net is speckle; what moves the other one begins to look like strokes.",
        "At which ε does the net with standard training no longer see a {attack[label]}?",
        ("at about 0.02", "at about 0.1", "not before 0.3"),
        1,
        "Attack real digits in Robustness",
        "?tab=robustness",
        "Let the class vote before the slider moves. Then ask what the change looks like on either side, before asking why.",
    ),
    Station(
        "logits",
        "Scores are depths",
        "The ten scores [[f]] of both nets for this digit. Turned upside down they are depths, the energies [[E|E(x, y)]].",
        "E(x) = −log Σ exp f is as deep as the deepest of them, or a little deeper: a soft minimum. So a classifier has a "
        "depth for every image with a label, and one for the image alone. Nothing was added to the net.",
        "And how deep is the image itself, E(x), whatever its label?",
        ("as deep as the mean of the ten", "as deep as the deepest of them, or a little deeper", "ten times as deep"),
        1,
        "Check the equations",
        "?tab=equations",
        "This is the whole trick of the field (JEM, 2019). The formula can wait; that the dashed line hugs the deepest bar "
        "cannot.",
    ),
    Station(
        "window",
        "Attacks climb, so training flattens",
        "[[E|E(x, y)]] around the digit, dark is deep. To the right goes each net's own attack. One scale for both; where "
        "zero lies is each net's own affair.",
        "Within this window the energy spans {window[standard][range]} nats in the standard net and {window[robust][range]} in "
        "the other, where it hardly moves along the attack, and at first even falls. Every training step put an image where "
        "the attack had climbed to, and pressed the energy down there.",
        "Which landscape is flatter along the attack?",
        ("the standard net’s", "the one that was trained against attacks", "they are alike"),
        1,
        "Look around other digits in Landscape",
        "?tab=landscape",
        "The two pictures are one scale of colours. Ask what a step of an attacker wins on either side.",
    ),
    Station(
        "roll",
        "Let a ball roll",
        "The ball is an image of pure noise. Both nets are asked for a {roll[asked]}: the ball rolls down [[E|E(x, "
        "{roll[asked]})]]. The plane holds its start and both ends; each net has its own colours.",
        "Both fall fast, and end about as deep as they get. Each net has valleys of its own, and takes the ball to one of "
        "them. What lies there is at the next station.",
        "Both roll from the same place, by the same rule. Do they end at the same image?",
        ("yes: both were trained on the same digits", "no: each in a valley of its own", "neither of them gets far"),
        1,
        "Roll in Sampling",
        "?tab=sampling&s.story=jeat-hero",
        "The chain moves in 784 dimensions; what is drawn is its shadow on a plane that holds start and ends.",
    ),
    Station(
        "film",
        "The ball’s path is a picture forming",
        "The same roll, and beside each ball the image that it stands for.",
        "Rolling down an energy is generating. The slope that an attacker would use to destroy a digit is the slope that makes "
        "one, if training has shaped the landscape. In the standard net it leads to a pattern that this net takes for a "
        "{roll[asked]}, and another net does not.",
        "What will the picture on the right be, at its deepest?",
        ("the same digit, a bit rougher", "a pattern that this net alone takes for the digit", "noise as at the start"),
        1,
        "The same with colour images",
        "?tab=sampling&s.story=cifar10",
        "Scrub back and forth with the slider. Ask at which step the class first reads the digit.",
    ),
    Station(
        "plane",
        "Why it works: what an attack finds is pushed down",
        "Now an image is two numbers. Blue is data. [[D]] says “real” where it is green, no where it is purple, and cannot "
        "tell where it is white. Orange points climb D from [[p0]]; D learns to say no there.",
        "After {plane[turns][8]} turns no false maximum is left on the left: green is gone, and D is one half on the data. On "
        "the right false maxima still cover {plane[maximin-corner][shots][8][spurious]:.0%} of the plane, as nobody ever went "
        "there. What is never visited is never corrected: that is why diverse starts matter.",
        "On the right the points start in one corner. What becomes of the false maxima elsewhere?",
        ("they vanish all the same", "they stay, and nothing in training notices", "the data moves to them"),
        1,
        "Play the game yourself",
        "?tab=playground&p.preset=maximin-corner",
        "Yin's dissertation, chapter 2. D ends at one half on the data: there it cannot tell, and should not.",
    ),
    Station(
        "unlabelled",
        "And without a single label",
        "This net was never told what a digit is: it only learned to recognise an image it has just seen, under attack. Its "
        "chains move as one crowd; both crowds start alike.",
        "Pushed apart from each other, {unlabelled[maxent][count]} chains become many digits: to a linear probe of the net the "
        "largest group of one digit has {unlabelled[maxent][most]}. Pushed away from their starts alone, "
        "{unlabelled[pgd][most]} of {unlabelled[pgd][count]} are one class to it: they met in one place of its features, and "
        "are strokes without a digit.",
        "The chains on the left push each other away. Those on the right only leave their starts. Where do they end?",
        ("both as many digits", "left as many digits, right nearly all as one", "left nearly all as one, right as many"),
        1,
        "Sample without labels",
        "?tab=sampling&s.story=maxent-pgd",
        "CEM's second half: maximum entropy stands in for the labels that are not there.",
    ),
)


def rows(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows as the browser takes them: facts filled in, symbols marked, links as links.

    Args:
        facts: heads of both artefacts in one.
    """
    stations = []
    for station in (OPENING, *STATIONS):
        link = f' <a class="cem-start-link" href="{station.opens}">{station.link} ›</a>'
        note = f"<details><summary>For a teacher</summary>{station.note}</details>" if station.note else ""
        stations.append({
            "view": station.view,
            "title": station.title,
            "lead": marked(station.lead.format(**facts)),
            "reveal": marked(PERCENT.sub(r"\1 %", station.reveal.format(**facts))) + link + note,
            "question": station.question.format(**facts),
            "answers": list(station.answers),
            "right": station.right,
        })  # fmt: skip
    return stations
