"""The tables of the comparison, as Markdown."""

from typing import Any

Results = dict[str, dict[str, dict[str, Any]]]
NAMES = {
    "deconvnet": "DeconvNet",
    "fcn8s": "FCN-8s",
    "fcn16s": "FCN-16s",
    "fcn32s": "FCN-32s",
    "segnet": "SegNet",
    "unet": "U-Net",
    "deeplab_largefov": "DeepLab-LargeFOV",
    "deeplab_aspp": "DeepLab-ASPP, VGG-16",
    "deeplab_aspp_resnet101": "DeepLab-ASPP, ResNet-101",
    "pspnet50": "PSPNet-50",
    "pspnet101": "PSPNet-101",
    "frrn_a": "FRRN-A",
    "frrn_b": "FRRN-B",
    "fusionnet": "FusionNet",
    "deep_contextual": "Deep Contextual Network",
}
_COLUMNS = ("mean IoU", "pixel accuracy", "weights", "GMAC", "s an image", "training, min")


def report(results: Results) -> str:
    """Returns one table a data set, the best network first, and one of all classes.

    Args:
        results: Data set -> network -> what `training.comparison.contest` wrote.
    """
    parts = []
    for data, networks in results.items():
        if networks:
            parts += [f"## {data}", _table(networks), _classes(networks)]
    return "\n\n".join(parts)


def ranked(networks: dict[str, dict[str, Any]]) -> list[str]:
    """Returns the names of the networks, the best mean IoU first."""
    return sorted(networks, key=lambda name: -networks[name]["mean_iou"])


def _table(networks: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name in ranked(networks):
        one = networks[name]
        rows.append(
            [
                NAMES[name],
                f"{100 * one['mean_iou']:.1f}",
                f"{100 * one['pixel_accuracy']:.1f}",
                f"{one['weights']:,}",
                f"{one['gmac']:.2f}",
                f"{one['seconds']:.3f}",
                "-" if one["processor_minutes"] is None else f"{one['processor_minutes']:.1f}",
            ]
        )
    return _markdown(["network", *_COLUMNS], rows)


def _classes(networks: dict[str, dict[str, Any]]) -> str:
    order = ranked(networks)
    classes = list(networks[order[0]]["iou"])
    rows = [
        [NAMES[name], *(_percent(networks[name]["iou"][label]) for label in classes)]
        for name in order
    ]
    return _markdown(["IoU", *classes], rows)


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.0f}"


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
