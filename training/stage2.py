"""Stage 2 of the paper (section 4.2): object proposals with everything that is in them.

python -m training.stage2 DATA --out RUN --init STAGE1 --proposals FILE [--recipe paper]

The same as `tfdeconv train stage2`. What it reached, on which data and in which time, stands in
`training/README.md`. With `--recipe paper`: 40,000 steps of 64 windows of 224x224 pixels, 4 days on
the GTX Titan X of the paper.
"""

import sys

from tfdeconv.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", "stage2", *sys.argv[1:]]))
