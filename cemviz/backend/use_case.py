"""The shape of every use-case, and what follows one.

    f(studio, request) -> Iterator[Step | Result]

A use-case yields a `Step` whenever there is something to tell, and its results as they are ready: the last item is one.  Page
and command line follow all of them by the same few lines.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """How far a use-case has come.

    Attributes:
        done, total: parts of the whole.
        doing: at what, in words: a model, an attack, a file.
    """

    done: int
    total: int
    doing: str = ""

    def __str__(self) -> str:
        """As status lines read: mnist-at: 3 of 20."""
        return f"{self.doing}: {self.done} of {self.total}" if self.doing else f"{self.done} of {self.total}"


def follow(work: Iterable[Any], report: Callable[[Step], None] = lambda step: None) -> list[Any]:
    """Run a use-case to its end.

    Args:
        report: is handed every step.
    Returns:
        its results, in order.
    """
    results = []
    for item in work:
        if isinstance(item, Step):
            report(item)
        else:
            results.append(item)
    return results
