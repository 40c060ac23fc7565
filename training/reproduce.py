"""The paper's claims on drawn data, or data of one's own, at several seeds, as tables.

python -m training.reproduce OUT [--data DATA] [--seeds 0 1 2] [--steps N]

Draws the data of `tfdeconv demo` where none are named, trains the networks that
`training/reproduction/runs.py` names and measures what `measures.py` beside it names. What is done
is kept in OUT, and the same command goes on from there. The tables are printed last and written to
OUT/report.md.
"""

import sys

from training.reproduction.command import main

if __name__ == "__main__":
    sys.exit(main())
