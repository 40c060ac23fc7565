"""What test_conformance.py runs in a fresh process: opens every saved golden and runs it.

Keras opens them, as in a script that has imported it and tfdeconv, and no more.

python -m tests.conformance_process FOLDER NAME...; outputs go to FOLDER/fresh.npz.
"""

import json
import sys

import keras
import numpy as np

import tfdeconv


def main(folder: str, *names: str) -> None:
    outputs = {}
    for name in names:
        model = keras.models.load_model(f"{folder}/{name}.keras")
        results = model(np.load(f"{folder}/{name}.npy"))
        for index, value in enumerate(keras.tree.flatten(results)):
            outputs[f"{name}/{index}"] = np.asarray(value)
    np.savez(f"{folder}/fresh.npz", **outputs)
    compiled = keras.models.load_model(f"{folder}/compiled.keras")
    images, labels = np.load(f"{folder}/deconvnet.npy"), np.load(f"{folder}/labels.npy")
    labels = [labels] * len(compiled.outputs)
    measured = compiled.evaluate(images, labels, verbose=0, return_dict=True)
    print(json.dumps({"measured": measured, "class_names": tfdeconv.class_names(compiled)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
