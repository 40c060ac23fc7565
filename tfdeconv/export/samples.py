"""Small requests for every signature of an exported folder: to warm a server up, and to compare."""

import numpy as np

from tfdeconv import images
from tfdeconv.export.c_api.messages import PredictRequest
from tfdeconv.export.c_api.signature_defs import Signature
from tfdeconv.export.metadata import Metadata

_HEIGHT, _WIDTH = 48, 64
# For networks that take images of every size: about so large, and one that they see smaller.
_OPEN_SIZE = 36
_SHRUNK = (45, 611)
# What the server is not told here: records name the model, and the server serves it by any name.
_MODEL = "deconvnet"


def warmup_requests(signatures: dict[str, Signature], metadata: Metadata) -> list[PredictRequest]:
    """Returns one small request for every signature: a photograph of 64x48 pixels, or one crop.

    Args:
        signatures: Those of the folder; inputs are told apart by their names.
        metadata: What the folder says of itself.

    Raises:
        ValueError: when a signature has an input that no signature of ours has.
    """
    photograph = sample_photograph(_HEIGHT, _WIDTH)
    requests = []
    for name, signature in sorted(signatures.items()):
        # Servers decode both kinds; one request each warms up both.
        encode = images.encode_png if name == "segment_bytes" else images.encode_jpeg
        samples = {
            "images_bytes": np.array([encode(photograph)], object),
            "images": photograph[None],
            "boxes": np.array([[[0, 0, 32, 40], [12, 20, 48, 64]]], np.float32),
            "counts": np.array([2], np.int32),
        }
        inputs = {}
        for key, info in signature.inputs.items():
            if key == "crops":
                crop = sample_photograph(*metadata.crop_size(_HEIGHT, _WIDTH))
                inputs[key] = crop[None].astype(info.dtype)
            elif key in samples:
                inputs[key] = samples[key]
            else:
                raise ValueError(f"`{key}` must be an input of an exported model. Received: {name}")
        requests.append(PredictRequest(_MODEL, name, inputs))
    return requests


def sample_requests(metadata: Metadata) -> dict[str, np.ndarray]:
    """Returns requests for three signatures, named `<call>/<signature>/<input>`.

    Args:
        metadata: What the folder says of itself. Boxes are there for a network of one size only;
            for others there is an image that is shrunk to be seen.
    """
    size = metadata.input_size or _OPEN_SIZE
    height, width = size + size // 4, size + size // 2 + 1
    photographs = np.stack([sample_photograph(height, width, seed) for seed in (0, 1)])
    crop = metadata.crop_size(height, width)
    crops = np.stack([sample_photograph(*crop, seed) for seed in (2, 3, 4)])
    files = [images.encode_png(photographs[0]), images.encode_jpeg(sample_photograph(width, size))]
    requests = {
        "0/regions/crops": crops.astype(np.float32),
        "0/segment/images": photographs,
    }
    if metadata.input_size is None:
        files.append(images.encode_png(sample_photograph(*_SHRUNK)))
    else:
        boxes = np.array([[0.1, 0.2, 0.6, 0.5], [-0.2, 0.5, 0.7, 1.3], [0.55, 0.0, 0.8, 0.95]])
        boxes = (boxes * [height, width, height, width]).astype(np.float32)
        requests["0/segment/boxes"] = np.stack([boxes, boxes])
        requests["0/segment/counts"] = np.array([3, 0], np.int32)
    return {**requests, "0/segment_bytes/images_bytes": np.array(files, object)}


def sample_photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Makes up a photograph, `(height, width, 3)` uint8 RGB, of patches and noise."""
    # Flat areas make ties, which pooling must break as the model does.
    generator = np.random.default_rng(seed)
    patches = generator.integers(0, 256, (-(-height // 8), -(-width // 8), 3))
    patches = np.kron(patches, np.ones((8, 8, 1), int))[:height, :width]
    noise = generator.integers(-20, 21, patches.shape)
    return np.clip(patches + noise * (patches > 100), 0, 255).astype(np.uint8)
