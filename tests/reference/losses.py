"""The losses over label maps by their definitions, pixel by pixel in float64."""

import math

import numpy as np

VOID = 255


def probabilities(pixel):
    top = max(float(score) for score in pixel)
    powers = [math.exp(float(score) - top) for score in pixel]
    return [power / sum(powers) for power in powers]


def counting(labels, scores):
    """Yields label and scores of every pixel that counts."""
    for image, maps in zip(labels, scores, strict=True):
        for y in range(image.shape[0]):
            for x in range(image.shape[1]):
                if image[y, x] != VOID:
                    yield int(image[y, x]), maps[y, x]


def cross_entropy(labels, scores, weights=None, normalise=True):
    total, count = 0.0, 0
    for label, pixel in counting(labels, scores):
        top = max(float(score) for score in pixel)
        norm = top + math.log(sum(math.exp(float(score) - top) for score in pixel))
        total += (norm - float(pixel[label])) * (1.0 if weights is None else weights[label])
        count += 1
    return total / count if count and normalise else total


def focal(labels, scores, gamma, weights=None):
    total, count = 0.0, 0
    for label, pixel in counting(labels, scores):
        p = probabilities(pixel)
        wrong = sum(value for index, value in enumerate(p) if index != label)
        total -= wrong**gamma * math.log(p[label]) * (1.0 if weights is None else weights[label])
        count += 1
    return total / count if count else 0.0


def tversky(labels, scores, alpha, beta):
    losses = []
    pixels = [(label, probabilities(pixel)) for label, pixel in counting(labels, scores)]
    for name in sorted({label for label, _ in pixels}):
        right = sum(p[name] for label, p in pixels if label == name)
        false = sum(p[name] for label, p in pixels if label != name)
        missed = sum(1.0 - p[name] for label, p in pixels if label == name)
        losses.append(1.0 - right / (right + alpha * false + beta * missed))
    return sum(losses) / len(losses) if losses else 0.0


def dice(labels, scores):
    losses = []
    pixels = [(label, probabilities(pixel)) for label, pixel in counting(labels, scores)]
    for name in sorted({label for label, _ in pixels}):
        both = sum(p[name] for label, p in pixels if label == name)
        sizes = sum(p[name] for _, p in pixels) + sum(label == name for label, _ in pixels)
        losses.append(1.0 - 2.0 * both / sizes)
    return sum(losses) / len(losses) if losses else 0.0


def jaccard(labels, scores):
    losses = []
    pixels = [(label, probabilities(pixel)) for label, pixel in counting(labels, scores)]
    for name in sorted({label for label, _ in pixels}):
        both = sum(p[name] for label, p in pixels if label == name)
        sizes = sum(p[name] for _, p in pixels) + sum(label == name for label, _ in pixels)
        losses.append(1.0 - both / (sizes - both))
    return sum(losses) / len(losses) if losses else 0.0


def lovasz_softmax(labels, scores):
    """Definition 1 of Lovasz's extension: set losses of the growing set of wrong pixels."""
    losses = []
    pixels = [(label, probabilities(pixel)) for label, pixel in counting(labels, scores)]
    for name in sorted({label for label, _ in pixels}):
        truth = {index for index, (label, _) in enumerate(pixels) if label == name}
        errors = [
            (1.0 - p[name] if index in truth else p[name]) for index, (_, p) in enumerate(pixels)
        ]
        wrong, before, total = set(), 0.0, 0.0
        for index in sorted(range(len(pixels)), key=lambda index: -errors[index]):
            wrong.add(index)
            after = 1.0 - len(truth - wrong) / len(truth | wrong)
            total += errors[index] * (after - before)
            before = after
        losses.append(total)
    return sum(losses) / len(losses) if losses else 0.0


def median_frequency(label_maps, classes):
    frequencies = {}
    for name in range(classes):
        having = [labels for labels in label_maps if (labels == name).any()]
        if having:
            pixels = sum(int((labels == name).sum()) for labels in having)
            frequencies[name] = pixels / sum(int((labels != VOID).sum()) for labels in having)
    middle = float(np.median(list(frequencies.values())))
    return [middle / frequencies[name] if name in frequencies else 1.0 for name in range(classes)]
