"""What the functions and layers of pooling and unpooling ask of their arguments.

Sides are checked where they are known: None stands for a side that a traced graph leaves open.
"""

from collections.abc import Sequence

Shape = Sequence[int | None]

INT32_MAX = 2**31 - 1


def pair(name: str, value: int | Sequence[int]) -> tuple[int, int]:
    """Returns `value` as two positive integers, height first."""
    both = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(both) != 2 or not all(isinstance(side, int) and side > 0 for side in both):
        raise ValueError(
            f"`{name}` must be a positive integer or two of them, height and width. "
            f"Received: {name}={value}"
        )
    return both


def pooling(
    pool_size: int | Sequence[int], strides: int | Sequence[int] | None, padding: str
) -> tuple[int, int]:
    """Returns the pool size as a pair, or says which argument cannot be."""
    size = pair("pool_size", pool_size)
    if strides is not None and pair("strides", strides) != size:
        raise ValueError(
            "`strides` must equal `pool_size`: in overlapping windows two values may belong to one "
            f"place, and unpooling could keep one only. Received: strides={strides}, "
            f"pool_size={pool_size}. Leave `strides` out"
        )
    if padding not in ("same", "valid"):
        raise ValueError(f'`padding` must be "same" or "valid". Received: padding={padding!r}')
    return size


def images(name: str, shape: Shape, dtype: str) -> None:
    """Refuses what is not a batch of floating-point maps, channels last."""
    if len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            f"`{name}` must have the shape (batch, height, width, channels), with a known number "
            f"of channels. Received: {name}.shape={tuple(shape)}"
        )
    if "float" not in dtype:
        raise ValueError(
            f"`{name}` must be floating-point. Received: {name}.dtype={dtype}. Cast it first"
        )


def index_range(shape: Shape, dtype: str) -> None:
    """Refuses an image of which the last flat index does not fit into `dtype`."""
    _, height, width, channels = shape
    if dtype == "int64" or height is None or width is None or channels is None:
        return
    if height * width * channels - 1 > INT32_MAX:
        raise ValueError(
            "An image must have at most 2**31 elements where the argmax is int32. "
            f"Received: shape={tuple(shape)}. With JAX's `jax_enable_x64` it is int64"
        )


def argmax(shape: Shape, dtype: str, values: Shape) -> None:
    """Refuses an argmax that is not made of one integer for every value."""
    if "int" not in dtype:
        raise ValueError(
            "`argmax` must be made of integers: floating-point numbers cannot tell far places "
            f"apart. Received: argmax.dtype={dtype}"
        )
    if not _agree(shape, values):
        raise ValueError(
            f"`argmax` must have the shape of `values`. Received: argmax.shape={tuple(shape)}, "
            f"values.shape={tuple(values)}"
        )


def like(shape: Shape, values: Shape, size: tuple[int, int]) -> None:
    """Refuses a `like` that pooling by `size` does not reduce to the shape of `values`."""
    fits = len(shape) == 4 and _agree(shape[:1], values[:1]) and _agree(shape[3:], values[3:])
    for side, count, step in zip(shape[1:3], values[1:3], size, strict=False):
        if side is not None and count is not None:
            fits = fits and count in (side // step, -(-side // step))
    if not fits:
        raise ValueError(
            "`like` must be the tensor that was pooled, so that pooling it by `size` gives the "
            f"shape of `values`. Received: like.shape={tuple(shape)}, "
            f"values.shape={tuple(values)}, size={size}"
        )


def _agree(first: Shape, second: Shape) -> bool:
    return len(first) == len(second) and all(
        a is None or b is None or a == b for a, b in zip(first, second, strict=True)
    )
