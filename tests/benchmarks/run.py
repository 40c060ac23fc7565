"""Runs the benchmarks, each in a process of its own, and prints one table: `make bench`.

python -m tests.benchmarks.run [AREA ...] [--json FILE]
"""

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from tests.benchmarks.figures import Figure
from tfdeconv import processor

AREAS = (
    "forward",
    "exported",
    "pooling",
    "training",
    "training_choices",
    "segment",
    "data",
    "proposals",
    "crf",
    "kernels",
)
_HERE = Path(__file__).parent
_CHILD = """
import dataclasses, json, sys
from importlib import import_module
figures = import_module("tests.benchmarks." + sys.argv[1]).measure()
print("FIGURES " + json.dumps([dataclasses.asdict(figure) for figure in figures]))
"""


def main(arguments: list[str] | None = None) -> int:
    """Measures the areas asked for; returns 1 when one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("areas", metavar="AREA", nargs="*", help=f"of {', '.join(AREAS)}")
    parser.add_argument("--json", metavar="FILE", default="benchmarks.json")
    args = parser.parse_args(arguments)
    processor.prefer_onednn()
    if unknown := [area for area in args.areas if area not in AREAS]:
        parser.error(f"AREA must be one of {', '.join(AREAS)}. Received: {unknown[0]}")
    figures: list[Figure] = []
    failed = 0
    for area in args.areas or AREAS:
        print(f"{area} ...", file=sys.stderr)
        found = _measure(area)
        failed += found is None
        figures += found or []
    print(f"{machine()}\n\n{table(figures)}")
    report = {"machine": machine(), "figures": [dataclasses.asdict(one) for one in figures]}
    Path(args.json).write_text(json.dumps(report, indent=2) + "\n")
    return 1 if failed else 0


def _measure(area: str) -> list[Figure] | None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, area], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        print(f"{area} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
        return None
    line = next(line for line in done.stdout.splitlines() if line.startswith("FIGURES "))
    return [Figure(**one) for one in json.loads(line.removeprefix("FIGURES "))]


def table(figures: list[Figure]) -> str:
    """Returns the figures as a Markdown table."""
    lines = ["| | ours | compared with | | ratio | goal | |", "|---|---:|---|---:|---:|---|---|"]
    for one in figures:
        peer = "" if one.peer is None else f"{one.peer:.4g} {one.unit}"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        state = {None: "", True: "reached", False: "**missed**"}[one.reached]
        rest = "; ".join(filter(None, (state, one.note)))
        ours = f"{one.ours:.4g} {one.unit}"
        goal = re.sub("[<>]=", {"<": "at most", ">": "at least"}.get(one.goal[:1], ""), one.goal)
        cells = (one.name, ours, one.peer_name, peer, ratio, goal, rest)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine() -> str:
    """Returns one line about the machine and the versions of what was measured."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        if found := re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()):
            model = found[1]
    have = processor.instruction_sets()
    fast = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
    model += f" ({', '.join(name for name in fast if name in have)})"
    model += f", oneDNN {'on' if processor.onednn_is_on() else 'off'}"
    versions = []
    for package in ("tensorflow", "keras", "torch", "numpy", "pydensecrf2"):
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores; Python {platform.python_version()}, {', '.join(versions)}"


if __name__ == "__main__":
    sys.exit(main())
