"""The networks of one seed: an encoder that all start from, DeconvNet and its variants, FCN-8s.

Every network is trained by the small recipe. The encoder takes the place of the VGG-16 that the
paper starts from: it has learnt to classify the objects (`tfdeconv.training.encoder`), where there
are several classes of them.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import keras

from tfdeconv import files
from tfdeconv.data import voc
from tfdeconv.models import load_model
from tfdeconv.training import batch_norm
from tfdeconv.training.encoder import train_encoder
from tfdeconv.training.init import starting_model
from tfdeconv.training.inputs import read_data
from tfdeconv.training.recipes import find_recipe
from tfdeconv.training.run_folder import RunFolder
from tfdeconv.training.train import train
from training.reproduction.unpooling import KINDS, with_unpooling

# A third of the recipe's: what tells the ways to unpool apart shows by then.
UNPOOLING_STEPS = 1000


class Setting(NamedTuple):
    """What the networks of a seed are trained on.

    Attributes:
        data: The data set.
        proposals: Its proposals.
        out: Folder of the seed.
        seed: Decides weights and windows; the data are the same for all seeds.
        steps: Optimizer steps of each stage, None for those of the recipe.
    """

    data: Path
    proposals: Path
    out: Path
    seed: int
    steps: int | None = None


def train_all(setting: Setting) -> dict[str, Path]:
    """Trains what is not trained yet, and goes on with what was interrupted.

    Args:
        setting: The data, folder and seed.

    Returns:
        Name -> saved model: `stage1` and `stage2`; the three of `KINDS`, after `UNPOOLING_STEPS` of
        stage 2 straight from the encoder; `fcn8s`, and `fcn8s-stage2`, which starts from what
        DeconvNet's encoder is after stage 2.
    """
    encoder = _encoder(setting)
    models = {"stage1": _trained(setting, "stage1", encoder, stage=1)}
    models["stage2"] = _trained(setting, "stage2", models["stage1"], stage=2)
    short = setting._replace(steps=setting.steps or UNPOOLING_STEPS)
    for kind in KINDS:
        models[kind] = _trained(short, kind, _start(setting, encoder, kind), stage=2)
    models["fcn8s"] = _trained(setting, "fcn8s", encoder)
    models["fcn8s-stage2"] = _trained(setting, "fcn8s-stage2", models["stage2"])
    return models


def training_seconds(setting: Setting) -> dict[str, float]:
    """Returns how long each network of `train_all`, and an `encoder`, took to train: seconds."""
    return json.loads(_times(setting).read_text("utf-8"))


def _times(setting: Setting) -> Path:
    return setting.out / "times.json"


@contextmanager
def _timed(setting: Setting, name: str) -> Iterator[None]:
    """Notes the seconds of a training, those of interrupted beginnings too."""
    print(f"--- seed {setting.seed}: {name}", flush=True)
    started = time.perf_counter()
    try:
        yield
    finally:
        noted = training_seconds(setting) if _times(setting).exists() else {}
        noted[name] = noted.get(name, 0.0) + time.perf_counter() - started
        files.write_json(_times(setting), noted)


def _encoder(setting: Setting) -> Path:
    file = setting.out / "encoder.keras"
    if file.exists():
        return file
    recipe = find_recipe("small", "deconvnet", 1).with_changes(steps=setting.steps)
    keras.utils.set_random_seed(setting.seed)
    names = voc.read_split(setting.data, "train").class_names
    model = starting_model("deconvnet", recipe, names)
    # With a single class of objects there is nothing to classify.
    if len(names) > 2:
        inputs = read_data(1, setting.data, None, recipe, setting.seed)
        with _timed(setting, "encoder"):
            train_encoder(model, inputs, recipe, setting.seed)
    with files.replacing(file) as temporary:
        model.save(temporary)
    return file


def _start(setting: Setting, encoder: Path, kind: str) -> Path:
    file = setting.out / f"{kind}-start.keras"
    if not file.exists():
        with files.replacing(file) as temporary:
            with_unpooling(load_model(encoder), kind).save(temporary)
    return file


def _trained(setting: Setting, name: str, init: Path, stage: int | None = None) -> Path:
    ready = setting.out / f"{name}.trained.keras"
    if ready.exists():
        return ready
    keras.backend.clear_session()
    run = RunFolder(setting.out / name)
    with _timed(setting, name):
        train(
            "deconvnet" if stage else "fcn8s",
            setting.data,
            run.path,
            stage=stage,
            init=init,
            proposals=setting.proposals if stage == 2 else None,
            seed=setting.seed,
            resume=run.exists,
            steps=setting.steps,
        )
    model = load_model(run.path)
    if stage:
        seen = batch_norm.trained_on(run.path)
        batch_norm.recalibrate(model, batch_norm.window_images(model, setting.data, *seen))
    with files.replacing(ready) as temporary:
        model.save(temporary)
    return ready
