"""Arguments that a class does not have: Keras's functional models pass over them in silence."""

import inspect
from typing import Any


def refuse_unknown(kind: type, kwargs: dict[str, Any], *known: str) -> None:
    """Checks what is left for `**kwargs` of a class's constructor.

    Args:
        kind: The class.
        kwargs: The arguments that it does not name.
        *known: Those that its bases have.

    Raises:
        TypeError: for any other; the message lists what the class has.
    """
    unknown = [name for name in kwargs if name not in known]
    if not unknown:
        return
    parameters = inspect.signature(kind).parameters.values()
    named = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    hint = " Give `image_shape`" if "input_shape" in unknown and "image_shape" in named else ""
    raise TypeError(
        f"`{kind.__name__}` must be given arguments that it has: "
        f"{', '.join(dict.fromkeys([*named, *known]))}. Received: {', '.join(unknown)}.{hint}"
    )
