"""Several images at a time: where an image has few regions, those of the next ones join its batch.

A network takes less time a region in larger batches. Where the regions of an image fill at most
half a batch, as many images as surely fit go through the network together; where they fill more,
and where networks see whole images or windows, each image goes alone.
"""

import abc
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from tfdeconv.segmentation import checks
from tfdeconv.segmentation.ahead import made_ahead
from tfdeconv.segmentation.picture import Picture

Item = TypeVar("Item")
# An image and its labels, or what was raised for it.
Result = Callable[[], tuple[Picture, np.ndarray]]

# No image is added to others that are larger together: 16 photographs of 4 megapixels.
BYTES_HELD = 3 * 2**26


class SegmentsSeveral(abc.ABC):
    """Segments any number of images by means of a subclass that segments a few.

    Attributes:
        images_in_batch: the most images that go through the network together.
    """

    images_in_batch: int

    @abc.abstractmethod
    def find_boxes(self, image: np.ndarray) -> np.ndarray:
        """Returns the `(n, 4)` boxes of a `(height, width, 3)` uint8 RGB image."""

    @abc.abstractmethod
    def label_maps(self, pictures: Sequence[Picture]) -> list[Callable[..., np.ndarray]]:
        """Runs networks over images together.

        Args:
            pictures: at most `images_in_batch`, with their boxes.

        Returns:
            For each what takes the description of a progress bar, or None, and returns its
            `(height, width)` uint8 labels, or raises what is wrong with it.
        """

    def picture(
        self, image: np.ndarray, boxes: np.ndarray | None = None, beside: Any = None
    ) -> Picture:
        """Returns an image with boxes, found where none are given; arguments as `Picture`."""
        checks.require_image(image)
        found = self.find_boxes(image) if boxes is None else boxes
        return Picture(image, checks.as_boxes(found), beside)

    def segment_all(
        self, images: Iterable[np.ndarray], boxes: Iterable[np.ndarray | None] | None = None
    ) -> Iterator[np.ndarray]:
        """Labels every pixel of many images, in less time than one by one where regions are few.

        Labels are those of `segment`, up to the last bits of the network's scores, which can depend
        on the size of the batch. Images are taken as they are needed; as many are held as go
        through the network together, `images_in_batch`, but no more than 200 MB and one image.

        Args:
            images: `(height, width, 3)` uint8 RGB each, of any sizes. None may change before its
                labels are there: one array must not be filled again and again.
            boxes: `(n, 4)` proposals, best first, for every image, or None in the place of one for
                which they are to be found; None to find all.

        Yields:
            `(height, width)` uint8 labels, in the order of the images.

        Raises:
            UserError: when the network's scores of an image are NaN.
            ValueError: when an image or boxes are of another kind, or their numbers differ. These,
                and what `images` itself raises, come after the labels of all images before.

        Example:

        >>> from tfdeconv import Segmenter
        >>> from tfdeconv.models import DeconvNet
        >>> segmenter = Segmenter(DeconvNet(2, (32, 32, 3), width=1 / 32), boxes=0)
        >>> images = (np.zeros((40, width, 3), np.uint8) for width in (70, 30))
        >>> [labels.shape for labels in segmenter.segment_all(images)]
        [(40, 70), (40, 30)]
        """
        given = (
            zip(images, itertools.repeat(None))
            if boxes is None
            else zip(images, boxes, strict=True)
        )
        for group in self._groups(lambda pair: self.picture(*pair), given):
            for _, result in self._segmented(group):
                yield result()[1]

    def segment_ahead(
        self,
        read: Callable[[Item], Picture],
        items: Iterable[Item],
        describe: Callable[[Item], str] | None = None,
    ) -> Iterator[tuple[Item, Result]]:
        """Labels many images as `segment_all`; reads them, and finds boxes, ahead in a thread.

        While the images of a batch are worked on, those of the next one are read.

        Args:
            read: reads an image and returns its `picture`.
            items: what it takes for every image, such as a path.
            describe: names the progress bar over the rows of an image; None for no such bars.

        Yields:
            `(item, result)` in the order of the items: `result()` is `(picture, labels)`, or raises
            what reading or segmenting this image raised; the others are segmented all the same.
        """
        for group in made_ahead(self._groups(read, items)):
            yield from self._segmented(group, describe)

    def _groups(
        self, read: Callable[[Item], Picture], items: Iterable[Item]
    ) -> Iterator[list[tuple[Item, Picture | Exception]]]:
        group: list[tuple[Item, Picture | Exception]] = []
        held = 0
        try:
            for item in items:
                try:
                    picture = read(item)
                except Exception as error:
                    group.append((item, error))
                else:
                    group.append((item, picture))
                    held += picture.image.nbytes
                if len(group) == self.images_in_batch or held > BYTES_HELD:
                    yield group
                    group, held = [], 0
        except Exception:
            # What came before the mistake is done first.
            yield group
            raise
        yield group

    def _segmented(
        self,
        group: list[tuple[Item, Picture | Exception]],
        describe: Callable[[Item], str] | None = None,
    ) -> Iterator[tuple[Item, Result]]:
        labels = iter(self.label_maps([one for _, one in group if isinstance(one, Picture)]))
        for item, found in group:
            if isinstance(found, Picture):
                description = None if describe is None else describe(item)
                yield item, functools.partial(_labelled, found, next(labels), description)
            else:
                yield item, functools.partial(_failed, found)


def _labelled(
    picture: Picture, label: Callable[..., np.ndarray], description: str | None
) -> tuple[Picture, np.ndarray]:
    return picture, label(description)


def _failed(error: Exception) -> NoReturn:
    raise error
