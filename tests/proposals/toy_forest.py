"""A structured forest of one tree, written as a file that OpenCV reads.

It stands in for the trained one, which cannot be shipped: where the gradient in the middle of a
patch is steep it draws edges there, and nothing elsewhere.
"""

from pathlib import Path

OPTIONS = {
    "stride": 2,
    "shrinkNumber": 2,
    "patchSize": 32,
    "patchInnerSize": 16,
    "numberOfGradientOrientations": 4,
    "gradientSmoothingRadius": 0,
    "regFeatureSmoothingRadius": 2,
    "ssFeatureSmoothingRadius": 8,
    "gradientNormalizationRadius": 4,
    "selfsimilarityGridSize": 5,
    "numberOfTrees": 1,
    "numberOfTreesToEvaluate": 1,
}
# Channel 3 of the features is the gradient's magnitude, over cells of 16 x 16; the middle one.
MAGNITUDE = 3 * 16 * 16 + 8 * 16 + 8
# Two pixels square in the middle of the inner patch, in each of the 13 output channels.
DRAWN = [256 * channel + 16 * y + x for channel in range(13) for y in (7, 8) for x in (7, 8)]


def toy_forest(folder: Path) -> Path:
    """Writes the forest to `folder` and returns its path."""
    lists = {
        "childs": [2, 0, 0],
        "featureIds": [MAGNITUDE, 0, 0],
        "thresholds": [0.5, 0.0, 0.0],
        "edgeBoundaries": [0, 0, 0, len(DRAWN)],
        "edgeBins": DRAWN,
    }
    lines = ["%YAML:1.0", "---", "options:", *(f"   {key}: {n}" for key, n in OPTIONS.items())]
    for name, numbers in lists.items():
        lines += [f"{name}:", f"   - [ {', '.join(map(str, numbers))} ]"]
    path = folder / "toy.yml"
    path.write_text("\n".join(lines) + "\n")
    return path
