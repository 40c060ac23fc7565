"""The model that a training starts from, wherever its weights come from."""

import os

import keras

from tfdeconv.training import start
from tfdeconv.training.recipes import Recipe
from tfdeconv.weights import Report, load_caffemodel, load_encoder, read_caffemodel
from tfdeconv.weights.imagenet import IMAGENET
from tfdeconv.weights.mapping import renamed

CAFFEMODEL = ".caffemodel"


def first_model(
    init: str | os.PathLike[str] | None,
    recipe: Recipe,
    names: tuple[str, ...],
    network: str,
    seed: int,
) -> keras.Model | None:
    """Returns the model that a training starts from, None for random weights.

    Args:
        init: A run folder, a `.keras` file, `"imagenet"` for VGG-16 of `keras.applications`, or a
            .caffemodel: of VGG-16, or of the network itself as training left it. What becomes of
            its layers is printed.
        recipe: Gives size and width of the network that foreign weights are loaded into.
        names: Class names of the data; a head for another number of classes starts anew.
        network: Name of the network to train.
        seed: Decides the weights that are not loaded.

    Raises:
        UserError: when the weights cannot be had or do not fit.
    """
    if init is None:
        return None
    if not is_foreign(init):
        return start.load_init(init, names, network)
    keras.utils.set_random_seed(seed)
    model = start.starting_model(recipe, names, None, "float32", network)
    report = _load(model, init)
    print(f"{os.fspath(init)}: {report}", flush=True)
    for note in report.notes:
        print(f"warning: {note}", flush=True)
    return model


def is_foreign(init: str | os.PathLike[str]) -> bool:
    """Whether `init` is no model of Keras's but weights for a new one."""
    return init == IMAGENET or os.fspath(init).endswith(CAFFEMODEL)


def _load(model: keras.Model, init: str | os.PathLike[str]) -> Report:
    if init == IMAGENET:
        return load_encoder(model)
    found = renamed(read_caffemodel(init))
    if all(layer.name in found for layer in model.layers if layer.weights):
        # Fine-tuning goes on with what training left; folded statistics cannot be trained.
        return load_caffemodel(model, init, folded=False, new_head=True)
    return load_encoder(model, init)
