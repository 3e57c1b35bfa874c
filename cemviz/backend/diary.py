"""A rotating log of one line an event: runs and how they ended, the computing process, visits."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

LOG = logging.getLogger("cemviz")
LOG.addHandler(logging.NullHandler())

BYTES, OLDER = 2**20, 3
"""Size at which a file is begun anew, and how many older ones stay."""


class OneLine(logging.Formatter):
    """A time, and a message whose line breaks are spaces."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(super().format(record).split())


def keep(path: Path) -> logging.Handler:
    """Write the log to a file from now on; its older parts are PATH.1 to PATH.3.

    Raises:
        OSError: the file cannot be written.
    """
    handler = RotatingFileHandler(path, maxBytes=BYTES, backupCount=OLDER, encoding="utf-8")
    handler.setFormatter(OneLine())
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    return handler
