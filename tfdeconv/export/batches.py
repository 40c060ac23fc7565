"""A batch of images, worked on one after the other: each gets the answer it would get alone."""

from collections.abc import Callable

import tensorflow as tf

from tfdeconv.export.segmentation import Summary, summarise

Outputs = dict[str, tf.Tensor]
Labels = tuple[tf.Tensor, tf.Tensor]


def label_each(label: Callable[..., Labels], images: tf.Tensor, *more: tf.Tensor) -> Outputs:
    """Labels images of one size.

    Args:
        label: From the number of an image in its batch, the image, and its part of `more`, to its
            labels, `(height, width)` uint8, and the probability of each, float32.
        images: `(batch, height, width, 3)` uint8 RGB.
        more: What else there is for every image, `(batch, ...)` each.

    Returns:
        `labels` and `confidence`, both `(batch, height, width)`.
    """
    labels, confidence = tf.map_fn(
        lambda one: label(*one),
        (tf.range(tf.shape(images)[0]), images, *more),
        fn_output_signature=(
            tf.TensorSpec((None, None), tf.uint8),
            tf.TensorSpec((None, None), tf.float32),
        ),
        parallel_iterations=1,
    )
    return {"labels": labels, "confidence": confidence}


def summarise_each(
    label: Callable[..., tf.Tensor],
    files: tf.Tensor,
    *more: tf.Tensor,
    classes: int,
    class_names: tf.lookup.StaticHashTable | None,
) -> Outputs:
    """Labels encoded images of any sizes.

    Args:
        label: From the number of an image in its batch, its file, and its part of `more`, to its
            labels, `(height, width)` uint8.
        files: `(batch,)` strings.
        more: What else there is for every image, `(batch, ...)` each.
        classes: how many classes there are.
        class_names: the names in the order of the labels; None where there are none.

    Returns:
        `labels_png_bytes`, `class_ids`, `class_shares` and `class_names`; see `export_saved_model`.
    """
    found = tf.map_fn(
        lambda one: summarise(label(*one), classes),
        (tf.range(tf.shape(files)[0]), files, *more),
        fn_output_signature=Summary(
            tf.TensorSpec((), tf.string),
            tf.TensorSpec((classes,), tf.int32),
            tf.TensorSpec((classes,), tf.float32),
        ),
        parallel_iterations=1,
    )
    return {
        "labels_png_bytes": found.png,
        "class_ids": found.class_ids,
        "class_shares": found.class_shares,
        "class_names": name_classes(found.class_ids, class_names),
    }


def name_classes(class_ids: tf.Tensor, table: tf.lookup.StaticHashTable | None) -> tf.Tensor:
    """Returns the names of classes, "" for -1; their numbers where there is no table.

    Args:
        class_ids: int32 of any shape.
        table: The names in the order of the labels; None where there are none.

    Returns:
        Strings of the same shape.

    Example:

    >>> name_classes(tf.constant([12, 0, -1]), None).numpy().tolist()
    [b'12', b'0', b'']
    """
    if table is not None:
        return table.lookup(tf.cast(class_ids, tf.int64))
    return tf.where(class_ids >= 0, tf.strings.as_string(class_ids), "")
