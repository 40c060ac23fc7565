"""Stage 1 of the paper (section 4.2): single objects in the middle of their window.

python -m training.stage1 DATA --out RUN [--recipe paper]

The same as `tfdeconv train stage1`. What it reached, on which data and in which time, stands in
`training/README.md`. With `--recipe paper`: 20,000 steps of 64 windows of 224x224 pixels, 2 days on
the GTX Titan X of the paper, where it starts from a VGG-16 trained on ImageNet.
"""

import sys

from tfdeconv.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", "stage1", *sys.argv[1:]]))
