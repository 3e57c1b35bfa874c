"""Words of the panel of a visitor's own net."""

from ...backend.foreign.guesses import UNKNOWN
from ...backend.foreign.imported import Imported
from ...backend.foreign.reading import AGAIN
from ...backend.store import called
from ...data.datasets import dataset

TITLE = "Your own net"

INTRO = f"""Drop the weights of a classifier of images: a `.safetensors` file, or what `{AGAIN}` writes. Nets of
robustness, TRADES, RobustBench, JEM and torchvision are recognised by the names and shapes of their tensors, those of timm by
their name. What no file says is guessed, and measured where test images are here; answer below where you know better."""

HOSTED = "It is for you alone, and gone when you leave; nothing in it is run."
LOCAL = """It is for you alone, and gone when you leave, unless you keep it. Programs of `torch.export` and TorchScript are
read, too."""

GUESS = "guess"
"""Answer of who does not know."""

SCALES = {
    GUESS: "measure", "none": "none: pixels in [0, 1]", "set": "the data set's", "imagenet": "ImageNet's",
    "symmetric": "to [−1, 1]",
}  # fmt: skip
"""Normalisation -> its words."""

THREATS = {GUESS: "guess", **{text: text for text in ("L2 .5", "L2 2", "L∞ 8/255", "L∞ .2", "L∞ .3")}}
"""Threat model -> its words; others may be written in the same way."""

NOTHING = "no net is given; drop a file, or name a repository of the Hub, hf:USER/REPO"


def summary(item: Imported) -> str:
    """How a net was understood, a line each."""
    lines = [f"**{called(item.card.name)}**: {item.by}", *(line for line, _ in item.findings())]
    return "\n".join(f"* {line}" for line in lines) + f"\n\n[Sample from it]({item.link})"


def answers(item: Imported) -> dict[str, str]:
    """Answers that an import found to the three questions: control -> words."""
    data = "none of these" if item.card.data == UNKNOWN else item.card.data
    return {"dataset": data, "scale": str(item.tries[0]), "threat": f"{item.threat_model}, {item.threat}"}


def short(item: Imported) -> str:
    """The same in a line, with the wait for a first run."""
    card, accuracy = item.card, item.card.metrics.get("accuracy")
    size = " × ".join(map(str, card.shape))
    data = f"images of {size}, of no set known here" if card.data == UNKNOWN else dataset(card.data).title
    right = f", {100 * accuracy['value']:.1f} % of {accuracy['count']} test images right" if accuracy else ""
    return f"{item.by}; {data}{right}; {item.first_run}."
