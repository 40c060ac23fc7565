"""Exception for errors that a user can fix.

The command line prints its message without a traceback, so the message has to name the file and the
remedy. Everything else that goes wrong is a bug and keeps its traceback.
"""


class UserError(ValueError):
    """A mistake in files, data or a request; the message is one or two sentences.

    Example:

    >>> raise UserError("`photo.png` must be an image. Received: an empty file. Replace it.")
    Traceback (most recent call last):
    ...
    tfdeconv.errors.UserError: `photo.png` must be an image. Received: an empty file. Replace it.
    """
