"""Numbers as the page takes them: in words the sign of a negative one is as wide as a plus, in figures arrays are typed."""

import base64
import re

import numpy as np

NEGATIVE = re.compile(r"(?<!\w)-(?=[\d.])|(?<=\de)-(?=\d)")


def minus(text: str) -> str:
    """A text whose negative numbers have a true minus sign; a hyphen, as in PGD-20, stays."""
    return NEGATIVE.sub("−", text)


def typed(values: np.ndarray) -> dict[str, str]:
    """An array as Plotly reads it without parsing numbers: base64 of 4-byte floats; NaN breaks a line."""
    values = np.ascontiguousarray(values, dtype="<f4")
    spec = {"dtype": "f4", "bdata": base64.b64encode(values.tobytes()).decode("ascii")}
    return spec if values.ndim == 1 else {**spec, "shape": ", ".join(map(str, values.shape))}
