"""DenseCRF in graphs: of any size, in a data pipeline, served without Python."""

import numpy as np
import pytest
import tensorflow as tf

from tests.crf.scenes import RAW, scene
from tfdeconv.export.verification import run_in_fresh_process

ANY_SIZE = [tf.TensorSpec((None,) * 3, name="p"), tf.TensorSpec((None,) * 3, tf.uint8, "image")]


def test_one_graph_for_any_size() -> None:
    run = tf.function(RAW, input_signature=ANY_SIZE)
    for size in ((8, 5), (1, 1), (13, 20)):
        arguments = scene(*size)
        np.testing.assert_allclose(run(*arguments), RAW(*arguments), atol=1e-5)
    assert run.experimental_get_tracing_count() == 1
    probabilities, image = scene(6, 9)
    for wrong, message in (
        (probabilities[:, :, :2], "must be at least 0 and sum to one"),
        (probabilities.transpose(1, 0, 2), "must be as large as `image`"),
        (probabilities[:, :, :1], "at least 2 classes"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(wrong, image)
    for wrong_image in (image[:, :, :1], image[:, :, [0, 1, 2, 0]]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`image` RGB"):
            run(probabilities, wrong_image)


@pytest.mark.parametrize("size", [(0, 2), (2, 0), (0, 0)])
def test_an_empty_image_in_a_graph_is_told(size: tuple[int, int]) -> None:
    run = tf.function(RAW, input_signature=ANY_SIZE)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one pixel"):
        run(np.zeros((*size, 3), np.float32), np.zeros((*size, 3), np.uint8))


def test_in_a_data_pipeline() -> None:
    arguments = [scene(6, 9), scene(11, 4)]
    specs = (tf.TensorSpec((None, None, 3), tf.float64), tf.TensorSpec((None, None, 3), tf.uint8))
    data = tf.data.Dataset.from_generator(lambda: iter(arguments), output_signature=specs)
    data = data.map(RAW, num_parallel_calls=2)
    assert data.element_spec == tf.TensorSpec((None, None, 3), tf.float32)
    for found, given in zip(data, arguments, strict=True):
        np.testing.assert_allclose(found, RAW(*given), atol=1e-5)


def test_served_without_python(tmp_path) -> None:
    module = tf.Module()
    module.crf = tf.function(lambda p, image: {"q": RAW(p, image)}, input_signature=ANY_SIZE)
    tf.saved_model.save(module, tmp_path, {"crf": module.crf})
    requests = {}
    for call, size in enumerate(((7, 10), (5, 3))):
        probabilities, image = scene(*size)
        requests[f"{call}/crf/p"] = probabilities.astype(np.float32)
        requests[f"{call}/crf/image"] = image
    answers, warnings = run_in_fresh_process(tmp_path, requests)
    assert not warnings
    for call in (0, 1):
        expected = RAW(requests[f"{call}/crf/p"], requests[f"{call}/crf/image"])
        np.testing.assert_allclose(answers[f"{call}/crf/q"], expected, atol=1e-5)
