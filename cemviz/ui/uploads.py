"""Pictures that the browser sends as text: what a visitor gives is bounded before anything reads it, and never stored."""

import base64
import binascii
from typing import Any

from ..backend.checks import BadInput

MOST_BYTES = 5 * 2**20
"""Bytes of a visitor's file, at most; `js/take.js` says so before it is sent."""


def content(data: Any) -> bytes:
    """The bytes of what was sent in base64.

    Raises:
        BadInput: too much, or not that.
    """
    if not isinstance(data, str) or len(data) > MOST_BYTES * 4 // 3 + 4:
        raise BadInput("picture", f"a picture comes as a file of at most {MOST_BYTES // 2**20} MB; this is none")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise BadInput("picture", "the picture arrived broken; send it again") from error
