"""The names of the classes in the graph."""

import os
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from tfdeconv.errors import UserError

FILE = "class_names.txt"


def table_of(names: Sequence[str], folder: str | os.PathLike[str]) -> tf.lookup.StaticHashTable:
    """Returns a table of class names, whose file becomes an asset of what is exported.

    Args:
        names: The names in the order of the labels.
        folder: Where to write the file `class_names.txt`, one name a line; it must stay until the
            export is done.

    Raises:
        UserError: when a name has more lines than one.
    """
    if any("\n" in name or "\r" in name for name in names):
        raise UserError(
            f"The names of the classes must have one line each to be exported. Received: {names}"
        )
    path = Path(folder, FILE)
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    initializer = tf.lookup.TextFileInitializer(
        str(path),
        key_dtype=tf.int64,
        key_index=tf.lookup.TextFileIndex.LINE_NUMBER,
        value_dtype=tf.string,
        value_index=tf.lookup.TextFileIndex.WHOLE_LINE,
    )
    return tf.lookup.StaticHashTable(initializer, default_value="")


def name_classes(class_ids: tf.Tensor, table: tf.lookup.StaticHashTable | None) -> tf.Tensor:
    """Returns the names of classes, "" for -1; their numbers where there is no table.

    Args:
        class_ids: int32 of any shape.
        table: From `table_of`.

    Returns:
        Strings of the same shape.

    Example:

    >>> name_classes(tf.constant([12, 0, -1]), None).numpy().tolist()
    [b'12', b'0', b'']
    """
    if table is not None:
        return table.lookup(tf.cast(class_ids, tf.int64))
    return tf.where(class_ids >= 0, tf.strings.as_string(class_ids), "")
