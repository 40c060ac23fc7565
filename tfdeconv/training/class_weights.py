"""Weights that balance the classes of a data set in the loss."""

import numpy as np

from tfdeconv.data.maps import count_labels, read_header, read_labels
from tfdeconv.data.voc import Split
from tfdeconv.progress import track


def count_classes(split: Split) -> np.ndarray:
    """Counts the pixels of every class in every image of a split.

    Args:
        split: The data set.

    Returns:
        `(images, classes)` int64; pixels labelled 255 are not counted.

    Raises:
        UserError: when a label map is missing, damaged, or has an unknown class.

    Example:

    ```python
    counts = count_classes(tfdeconv.data.voc.read_split("camvid", "train"))
    loss = CrossEntropy(class_weights=median_frequency(counts))
    ```
    """
    classes = len(split.class_names)
    rows = [
        count_labels(read_labels(split, image_id, read_header(split, image_id)))[:classes]
        for image_id in track(split.ids, "Counting")
    ]
    return np.stack(rows)


def median_frequency(counts: np.ndarray) -> tuple[float, ...]:
    """Returns the weights that balance classes by the median of their frequencies.

    The frequency of a class is its share of the pixels of those images that have it, and its weight
    the median frequency divided by its own: rare classes weigh more than 1, common ones less.

    Args:
        counts: `(images, classes)` pixels, ignored ones left out, as `count_classes` returns them.

    Returns:
        A weight for every class, above 0. A class that no image has is not part of the median, and
        gets the weight 1.

    Raises:
        ValueError: when `counts` has another shape, a negative number, or no pixel.

    Example:

    >>> median_frequency(np.array([[90, 10, 0], [50, 0, 50]]))  # 140/200, 10/100, 50/100
    (0.7142857142857143, 5.0, 1.0)

    Reference:
        Eigen, Fergus: Predicting Depth, Surface Normals and Semantic Labels, ICCV 2015, section
        6.2; Badrinarayanan, Kendall, Cipolla: SegNet, section 3.1.
    """
    counts = np.asarray(counts)
    if counts.ndim != 2 or not counts.size or counts.min() < 0 or not counts.any():
        raise ValueError(
            "`counts` must be (images, classes) numbers of pixels, some above 0. "
            f"Received: shape={counts.shape}, sum={counts.sum()}"
        )
    of_class = counts.sum(axis=0)
    of_images = ((counts > 0) * counts.sum(axis=1, keepdims=True)).sum(axis=0)
    present = of_class > 0
    frequency = of_class[present] / of_images[present]
    weights = np.ones(counts.shape[1])
    weights[present] = np.median(frequency) / frequency
    return tuple(weights.tolist())
