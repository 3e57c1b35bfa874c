"""`python -m cemviz`."""

import gc

gc.disable()  # as in app.py

from .cli import main

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
