"""Limits of a page that many use at once, in one place: who starts it sets them."""

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what visitors may take.

    Attributes:
        visitors: pages that may be open at once; who comes later is told to come back.
        time: seconds of the device that one run may take, a training apart; a tab's own limit holds where it is shorter.
        memory: MiB of the server, beyond which visits whose page was closed end at once instead of after ten minutes.
        disk: MiB of temporary files, uploads among them, beyond which no upload is taken.
    Raises:
        ValueError: one is not a number above 0.
    """

    visitors: int = 500
    time: float = 600.0
    memory: int = 4096
    disk: int = 2048

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not 0 < value < math.inf:
                raise ValueError(f"{limit.name} is {value:g}; give a number above 0")
