"""DeconvNet: VGG-16 with pooling switches, mirrored by unpooling and deconvolution.

Reference:
    Hyeonwoo Noh, Seunghoon Hong, Bohyung Han. Learning Deconvolution Network for Semantic
    Segmentation. ICCV 2015. Section 3 and Table 2.
"""

import keras

from tfdeconv.layers import Bilinear, Logits, MaxPoolWithArgmax, Unpool
from tfdeconv.models.base import (
    ClassNames,
    InputShape,
    SegmentationModel,
    Weights,
    check_channels,
    check_classes,
    image_input,
)
from tfdeconv.models.blocks import Initializer, conv_unit, deconv_unit, scaled
from tfdeconv.models.vgg16 import FC_FILTERS, vgg16_stage

# Output channels of every deconvolution, stage 1 to 5: Table 2 of the paper.
DECODER_FILTERS = ((64, 64), (128, 64), (256, 256, 128), (512, 512, 256), (512, 512, 512))
STRIDE = 32


@keras.saving.register_keras_serializable(package="tfdeconv")
class DeconvNet(SegmentationModel):
    """The deconvolution network of Noh, Hong and Han.

    Thirteen convolutions and five poolings reduce the image to a map of input/32, which `fc6` turns
    into a single vector (a larger input gives a map of vectors). `fc6-deconv` expands it to a map
    again. Five unpooling layers place each value at the location of the maximum of its window (the
    switch), each followed by deconvolutions that densify the map. Layers and their names are those
    of the release: 251,805,653 weights for 21 classes.

    Args:
        num_classes: Number of classes, 2 to 255, the background included.
        input_shape: `(height, width, 3)`, multiples of 32. The paper's is (224, 224, 3). With
            `(None, None, 3)` the network takes every multiple of 32 from the size of `fc6` on.
        width: Factor on the number of channels. The paper's network has 1; 1/8 is sufficient for
            small data sets.
        weights: None for random weights, or a `.weights.h5` or `.keras` file of the same network.
        class_names: None, or the names of the classes in the order of the labels. They are saved
            with the model.
        fc6_kernel: Side, or height and width, of the kernel of `fc6`. By default the last map,
            input/32, or 7 if the input size is variable.
        kernel_initializer: Keras initializer of the kernels.
        deconv_initializer: Keras initializer of the kernels from `fc6-deconv` to the scores. By
            default the 3x3 deconvolutions start as `tfdeconv.layers.Bilinear()`, which trains
            several times faster than random kernels, and the other two by `kernel_initializer`.
            The paper draws all from a Gaussian; the release's deviation is 0.01.
        name: Name of the model.

    Input shape:
        `(batch, height, width, 3)`, RGB in [0, 255], uint8 or float.

    Output shape:
        `(batch, height, width, num_classes)`, float32 logits.

    Raises:
        ValueError: when an argument is out of range; the message gives the nearest valid size.
        UserError: when the file in `weights` does not fit the network.

    Example:

    >>> model = DeconvNet(num_classes=3, input_shape=(64, 96, 3), width=1 / 16)
    >>> model.output_shape
    (None, 64, 96, 3)

    Reference:
        Table 2 of the paper; layer names of `DeconvNet_inference_deploy.prototxt`.
    """

    def __init__(
        self,
        num_classes: int = 21,
        input_shape: InputShape = (224, 224, 3),
        width: float = 1.0,
        weights: Weights = None,
        class_names: ClassNames = None,
        fc6_kernel: int | tuple[int, int] | None = None,
        kernel_initializer: Initializer = "he_normal",
        deconv_initializer: Initializer | None = None,
        name: str = "deconvnet",
    ) -> None:
        arguments = dict(locals())
        check_classes(num_classes, class_names)
        arguments["fc6_kernel"] = kernel = _fc6_size(input_shape, fc6_kernel)
        densify_initializer = deconv_initializer or Bilinear()
        deconv_initializer = deconv_initializer or kernel_initializer

        inputs, x = image_input(input_shape, STRIDE, (STRIDE * kernel[0], STRIDE * kernel[1]))

        # === Convolution network ===
        switches = []
        for stage in range(1, 6):
            before = vgg16_stage(x, stage, width, kernel_initializer, batch_norm=True)
            x, argmax = MaxPoolWithArgmax(2, name=f"pool{stage}")(before)
            switches.append((stage, argmax, before))

        # === The bottleneck, a single vector for an input of the nominal size ===
        fc, opened = scaled(FC_FILTERS, width), scaled(DECODER_FILTERS[-1][0], width)
        for number, size in ((6, kernel), (7, (1, 1))):
            norm, relu = f"bnfc{number}", f"relu{number}"
            x = conv_unit(
                x, fc, size, f"fc{number}", kernel_initializer, norm, relu, padding="valid"
            )
        encoder = [x, *(tensor for _, *pair in switches for tensor in pair)]
        x = deconv_unit(
            x,
            opened,
            kernel,
            "fc6-deconv",
            deconv_initializer,
            "fc6-deconv-bn",
            "fc6-deconv-relu",
            padding="valid",
        )

        # === Deconvolution network ===
        for stage, argmax, before in reversed(switches):
            x = Unpool(2, name=f"unpool{stage}")(x, argmax, before)
            for index, count in enumerate(DECODER_FILTERS[stage - 1], start=1):
                suffix, filters = f"{stage}_{index}", scaled(count, width)
                x = deconv_unit(
                    x,
                    filters,
                    3,
                    f"deconv{suffix}",
                    densify_initializer,
                    f"debn{suffix}",
                    f"derelu{suffix}",
                )
        decoder = [x]

        x = conv_unit(x, num_classes, 1, "seg-score-voc", deconv_initializer)
        x = Logits(class_names, name="scores")(x)
        super().__init__(inputs, x, encoder, decoder, arguments)


def _fc6_size(input_shape: InputShape, kernel: int | tuple[int, int] | None) -> tuple[int, int]:
    """Returns height and width of the `fc6` kernel, and checks that the input fits it."""
    check_channels(input_shape)
    if kernel is None:
        height, width = (7 if side is None else side // STRIDE for side in input_shape[:2])
    else:
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    for side, size in zip(input_shape[:2], (height, width), strict=True):
        if side is not None and (side % STRIDE or side < STRIDE * size or size < 1):
            lowest = STRIDE * max(size, 1)
            nearest = max(round(side / STRIDE) * STRIDE, lowest)
            raise ValueError(
                f"`input_shape` must have sides that are multiples of {STRIDE}, from {lowest} on. "
                f"Received: input_shape={input_shape}. The nearest is {nearest} in place of {side}"
            )
    return height, width
