"""FCN-8s, the other half of the ensemble EDeconvNet (section 5.2 of the paper), on whole images.

python -m training.fcn8s DATA --out RUN [--init STAGE2] [--recipe paper]

The same as `tfdeconv train fcn8s`. What it reached, on which data and in which time, stands in
`training/README.md`. With `--recipe paper`: 100,000 steps of one image, as `voc-fcn8s` of FCN's
release, which starts from FCN-16s, that from FCN-32s, and that from a VGG-16 trained on ImageNet.
"""

import sys

from tfdeconv.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", "fcn8s", *sys.argv[1:]]))
