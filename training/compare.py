"""All networks on the same data, as a table and a picture.

python -m training.compare OUT --data camvid=CAMVID --data nuclei=NUCLEI [--networks unet segnet]

Trains every network by its small recipe, from scratch, each in a process of its own, on the drawn
data of `tfdeconv demo` and on what --data names, folders in PASCAL VOC layout. What is done is kept
in OUT, and the same command goes on from there. The tables are printed and written to
OUT/comparison.md, the picture to OUT/comparison.png. `training/COMPARISON.md` is such a report.
"""

import sys

from training.comparison.command import main

if __name__ == "__main__":
    sys.exit(main())
