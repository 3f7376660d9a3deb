"""`python -m heatprop.cli` is the command `heatprop`."""

import sys

from heatprop.cli import main

if __name__ == "__main__":
    sys.exit(main())
