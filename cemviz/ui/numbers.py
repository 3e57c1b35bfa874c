"""Numbers in words: the sign of a negative one is as wide as a plus."""

import re

NEGATIVE = re.compile(r"(?<!\w)-(?=[\d.])|(?<=\de)-(?=\d)")


def minus(text: str) -> str:
    """A text whose negative numbers have a true minus sign; a hyphen, as in PGD-20, stays."""
    return NEGATIVE.sub("−", text)
