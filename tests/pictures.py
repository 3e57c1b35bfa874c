"""Picture files for the tests of image folders."""

from pathlib import Path

import numpy as np
from PIL import Image


def plain(path: Path, grey: int, side: int = 28) -> None:
    Image.fromarray(np.full((side, side), grey, np.uint8)).save(path)
