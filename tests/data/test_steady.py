"""Every pipeline ends at once: none is tuned by a thread that sleeps."""

import numpy as np
import pytest
import tensorflow as tf

from tests.data.small import write_data_set
from tfdeconv.data import pipeline, voc, windows
from tfdeconv.data.steady import steady


def test_it_keeps_the_elements_and_knows_their_number():
    dataset = steady(tf.data.Dataset.range(10).filter(lambda value: value % 2 == 0), 5)
    assert [int(value) for value in dataset] == [0, 2, 4, 6, 8]
    assert len(dataset) == 5


@pytest.mark.parametrize("kind", ["training", "validation", "images"])
def test_no_pipeline_is_tuned_while_it_runs(tmp_path, kind):
    split = voc.read_split(write_data_set(tmp_path), "train")
    found = windows.object_windows(split)
    sizes = {"batch_size": 2, "input_size": 16}
    dataset = {
        "training": lambda: pipeline.training_dataset(split, found, steps=3, seed=0, **sizes),
        "validation": lambda: pipeline.validation_dataset(split, found, **sizes),
        "images": lambda: pipeline.images_dataset(split),
    }[kind]()
    assert dataset.options().autotune.enabled is False
    # As training goes on with it: encoder and heads map the labels.
    assert dataset.map(lambda *element: element).options().autotune.enabled is False
    assert np.all([len(element) >= 2 for element in dataset])
