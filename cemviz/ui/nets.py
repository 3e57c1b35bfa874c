"""The line that stands behind a net's name: all that is known of it."""

from ..backend.attack.rates import within
from ..backend.store import Card, called
from ..data.datasets import dataset


def about(card: Card) -> str:
    """Its file, its data, how it was trained, and how many test images it gets right, with and without an attack."""
    parts = [called(card.name), dataset(card.data).title, card.words]
    measured = {name: card.metrics[name] for name in ("accuracy", "robust") if name in card.metrics}
    if "accuracy" in measured:
        parts.append(f"{100 * measured['accuracy']['value']:.1f} % of test images right")
    if "robust" in measured:
        robust = measured["robust"]
        parts.append(
            f"{100 * robust['value']:.1f} % under {robust['attack']} within {within(robust['norm'], robust['radius'])}"
        )
    return ", ".join(parts)
