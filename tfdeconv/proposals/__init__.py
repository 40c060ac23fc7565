"""Object proposals: boxes that are likely to hold an object, found from edges or laid as a grid.

Images are `(height, width, 3)` uint8 RGB; boxes are `top, left, bottom, right` in pixels of the
image, half open. Nothing here loads TensorFlow or Keras, so that worker processes stay cheap.
"""

from tfdeconv.proposals.edge_boxes import propose as propose
from tfdeconv.proposals.grid import multi_scale_grid as multi_scale_grid
from tfdeconv.proposals.parallel import propose_files as propose_files

__all__ = ["propose", "propose_files", "multi_scale_grid"]
