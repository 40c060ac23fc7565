"""Writing a data set in PASCAL VOC layout: the whole of it, or nothing.

The images are written to a folder beside the target, which is renamed when all are done. When the
process is interrupted that folder stays, and the next import of the same source goes on where it
stopped: a line in its journal says of every finished image what it was made from.
"""

import contextlib
import hashlib
import json
import os
import shutil
import unicodedata
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from tfdeconv import images
from tfdeconv.data.importers.painting import Maps
from tfdeconv.data.importers.sources import Options, Sample, Source
from tfdeconv.errors import UserError
from tfdeconv.files import cannot_write, ensure_writable_folder, write_bytes, write_text
from tfdeconv.labels import IGNORE_LABEL, encode_objects, encode_png
from tfdeconv.progress import track

_JOURNAL = "import.jsonl"
_FOLDERS = ("JPEGImages", "SegmentationClass", "SegmentationObject")
_LISTS = "ImageSets/Segmentation"
# Longer names do not fit with their endings into what file systems allow.
_MAX_ID = 200


@dataclass
class Report:
    """What an import has found and written.

    Attributes:
        names: the class of every label.
        pixels: `(256,)` int64, pixels of each label.
        splits: images, images without annotations and instances of each split.
        dropped: what was left out, and how often.
        notes: what was assumed.
        why: the format and how it was recognised.
    """

    names: tuple[str, ...]
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    splits: dict[str, list[int]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    why: str = ""

    def lines(self) -> list[str]:
        """Returns what to print, a fact a line."""
        total = max(int(self.pixels.sum()), 1)
        shares = [
            f"{label} {name} ({100 * self.pixels[label] / total:.1f} %)"
            for label, name in enumerate(self.names)
        ]
        lines = [f"format: {self.why}", f"classes: {', '.join(shares)}"]
        lines += [
            f"{split}: {count} images, {empty} without annotations, {instances} instances"
            for split, (count, empty, instances) in sorted(self.splits.items())
        ]
        dropped = [f"{count} {reason}" for reason, count in sorted(self.dropped.items()) if count]
        lines.append(f"dropped: {', '.join(dropped) or 'nothing'}")
        lines.append(f"void: {100 * self.pixels[IGNORE_LABEL] / total:.1f} % of the pixels")
        return lines + [f"note: {note}" for note in self.notes]


@dataclass(frozen=True)
class Splitting:
    """How images are put into splits.

    Attributes:
        val: share of the images of `train` that go to `val`; 0 keeps the source's splits.
        only: a split for all images, whatever the source says.
    """

    val: float = 0
    only: str | None = None


def write_data_set(
    source: Source,
    data: Path,
    options: Options,
    splitting: Splitting,
    link: bool = False,
) -> Report:
    """Writes all samples of a source.

    Args:
        source: What to write.
        data: The folder of the data set, which must not exist or be empty.
        options: Those that the source was opened with.
        splitting: The splits.
        link: Whether photographs that need no change become hard links in place of copies.

    Returns:
        The `Report`.

    Raises:
        UserError: at the first image or annotation that is wrong; nothing is written then.
    """
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise UserError(
            f"`{data}` must be a new folder or an empty one. Received: one that exists and is not "
            "empty. Remove it or choose another folder."
        )
    staging = data.with_name(f".{data.name}.importing")
    asked = _digest([asdict(options), source.names, link])
    try:
        done = _journal(staging, asked)
        for folder in _FOLDERS:
            ensure_writable_folder(staging / folder)
        report, lists, facts = _write_all(source, staging, done, link)
        if not lists:
            raise UserError(
                f"No image of the annotations was found for `{data}`. Give the folder of the "
                "images with `--images`."
            )
        for split, ids in _split(lists, splitting, report.notes).items():
            counts = [sum(column) for column in zip(*(facts[name] for name in ids), strict=True)]
            report.splits[split] = [len(ids), *counts]
            write_text(staging / _LISTS / f"{split}.txt", "".join(f"{name}\n" for name in ids))
        write_text(staging / "classes.txt", "".join(f"{name}\n" for name in source.names))
        _finish(staging, data)
    except UserError:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    report.notes = source.notes + report.notes
    report.dropped += source.dropped
    return report


def _finish(staging: Path, data: Path) -> None:
    objects = staging / "SegmentationObject"
    if not any(objects.iterdir()):
        objects.rmdir()
    (staging / _JOURNAL).unlink()
    try:
        if data.exists():
            data.rmdir()
        os.replace(staging, data)
    except OSError as error:
        raise cannot_write(data, error) from error


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:16]


def _journal(staging: Path, asked: str) -> dict[str, dict[str, Any]]:
    """Returns what is done already; removes what was begun with other options."""
    done: dict[str, dict[str, Any]] = {}
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        lines = (staging / _JOURNAL).read_text("utf-8").splitlines()
        if lines[:1] == [asked]:
            for line in lines[1:]:
                # The last line may be cut short.
                entry = json.loads(line)
                done[entry["id"]] = entry
    if not done:
        if staging.is_symlink():
            staging.unlink()
        shutil.rmtree(staging, ignore_errors=True)
        ensure_writable_folder(staging)
    text = "\n".join([asked, *map(json.dumps, done.values())]) + "\n"
    write_text(staging / _JOURNAL, text)
    return done


def _write_all(
    source: Source, staging: Path, done: dict[str, dict[str, Any]], link: bool
) -> tuple[Report, dict[str, list[str]], dict[str, tuple[bool, int]]]:
    report = Report(source.names, why=source.why)
    lists: dict[str, list[str]] = {}
    facts: dict[str, tuple[bool, int]] = {}
    taken: set[str] = set()
    with open(staging / _JOURNAL, "a", encoding="utf-8") as journal:
        samples = track(source.samples, "Importing", source.total)
        for sample, entry in _in_parallel(samples, taken, source, staging, done, link):
            if entry["id"] not in done:
                journal.write(json.dumps(entry) + "\n")
                journal.flush()
            lists.setdefault(sample.split or "train", []).append(entry["id"])
            facts[entry["id"]] = (entry["empty"], entry["instances"])
            for label, count in entry["pixels"].items():
                report.pixels[int(label)] += count
            report.dropped += Counter(entry["dropped"])
    return report, lists, facts


def _in_parallel(
    samples: Iterable[Sample],
    taken: set[str],
    source: Source,
    staging: Path,
    done: dict[str, dict[str, Any]],
    link: bool,
) -> Iterator[tuple[Sample, dict[str, Any]]]:
    workers = min(os.cpu_count() or 1, 8)
    pool = ThreadPoolExecutor(workers)
    waiting: deque[tuple[Sample, Future[dict[str, Any]]]] = deque()
    try:
        for sample in samples:
            image_id = _new_id(sample.name, taken)
            stamp = _stamp(sample)
            old = done.get(image_id)
            if old is not None and old["stamp"] != stamp:
                del done[image_id]
                old = None
            if old is not None:
                future: Future[dict[str, Any]] = Future()
                future.set_result(old)
            else:
                future = pool.submit(_write, sample, image_id, stamp, source, staging, link)
            waiting.append((sample, future))
            if len(waiting) > 2 * workers:
                first, finished = waiting.popleft()
                yield first, finished.result()
        for first, finished in waiting:
            yield first, finished.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _stamp(sample: Sample) -> str:
    files = [*sample.files]
    if isinstance(sample.photograph, Path):
        files.append(sample.photograph)
    facts = []
    for file in files:
        with contextlib.suppress(OSError):
            stat = file.stat()
            facts.append((str(file), stat.st_size, stat.st_mtime_ns))
    return _digest(facts)


def _new_id(name: str, taken: set[str]) -> str:
    """Makes a file name of a path that no other image has, on any file system."""
    path = PurePosixPath(name)
    text = unicodedata.normalize("NFC", path.with_suffix("").as_posix()).replace("/", "_")
    text = "".join(sign if sign.isprintable() and sign not in '\\:*?"<>|' else "_" for sign in text)
    text = text.strip(" .") or "image"
    if len(text.encode()) > _MAX_ID:
        cut = text.encode()[: _MAX_ID - 17].decode(errors="ignore")
        text = f"{cut}_{_digest(text)}"
    unique, number = text, 1
    while unique.casefold() in taken:
        number += 1
        unique = f"{text}_{number}"
    taken.add(unique.casefold())
    return unique


def _write(
    sample: Sample, image_id: str, stamp: str, source: Source, staging: Path, link: bool
) -> dict[str, Any]:
    for ending in ("jpg", "png"):
        (staging / "JPEGImages" / f"{image_id}.{ending}").unlink(missing_ok=True)
    height, width = _write_photograph(sample, staging / "JPEGImages", image_id, link)
    if sample.size is not None and sample.size != (height, width):
        raise UserError(
            f"{sample.place} must be for an image of {width}x{height} pixels, the size of "
            f"{_name(sample)} when upright. Received: {sample.size[1]}x{sample.size[0]}. Use the "
            "image that was annotated."
        )
    maps = sample.draw(height, width)
    if maps.labels.shape != (height, width):
        raise UserError(
            f"{sample.place} must be as large as {_name(sample)}, {width}x{height}. Received: "
            f"{maps.labels.shape[1]}x{maps.labels.shape[0]}. Export the mask at the size of "
            "the image."
        )
    png = encode_png(maps.labels, source.colours)
    write_bytes(staging / "SegmentationClass" / f"{image_id}.png", png)
    if maps.objects is not None:
        png = encode_objects(maps.objects)
        write_bytes(staging / "SegmentationObject" / f"{image_id}.png", png)
    return _entry(image_id, stamp, maps)


def _entry(image_id: str, stamp: str, maps: Maps) -> dict[str, Any]:
    pixels = np.zeros(256, np.int64)
    for row in range(0, len(maps.labels), 512):
        pixels += np.bincount(maps.labels[row : row + 512].ravel(), minlength=256)
    return {
        "id": image_id,
        "stamp": stamp,
        "empty": not pixels[1:].any(),
        "instances": maps.instances,
        "pixels": {str(label): int(pixels[label]) for label in np.flatnonzero(pixels)},
        "dropped": {reason: count for reason, count in maps.dropped.items() if count},
    }


def _name(sample: Sample) -> str:
    path = sample.photograph
    return f"`{path}`" if isinstance(path, Path) else "its own image"


def _write_photograph(sample: Sample, folder: Path, image_id: str, link: bool) -> tuple[int, int]:
    """Writes the photograph as an upright JPEG or PNG and returns its height and width."""
    if isinstance(sample.photograph, bytes):
        target = folder / f"{image_id}.embedded"
        write_bytes(target, sample.photograph)
        try:
            return _keep_or_convert(target, folder, image_id, False)
        except UserError as error:
            raise UserError(f"{sample.place}: {error}") from error
        finally:
            target.unlink()
    return _keep_or_convert(sample.photograph, folder, image_id, link)


def _keep_or_convert(path: Path, folder: Path, image_id: str, link: bool) -> tuple[int, int]:
    header = images.read_header(path)
    kind = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png"}.get(header.format)
    if kind is None or header.orientation != 1:
        image = images.read_image(path)
        jpeg = kind == "jpg"
        data = images.encode_jpeg(image, 95) if jpeg else images.encode_png(image)
        write_bytes(folder / f"{image_id}.{kind or 'png'}", data)
        return image.shape[:2]
    target = folder / f"{image_id}.{kind}"
    if link:
        with contextlib.suppress(OSError):
            os.link(path.resolve(), target)
            return header.height, header.width
    write_bytes(target, path.read_bytes())
    return header.height, header.width


def _split(
    lists: dict[str, list[str]], splitting: Splitting, notes: list[str]
) -> dict[str, list[str]]:
    """Returns the lists as the user wants them."""
    if splitting.only is not None:
        return {splitting.only: [image_id for ids in lists.values() for image_id in ids]}
    if not splitting.val:
        if set(lists) == {"train"}:
            notes.append("all images are in `train`; `--val 0.2` puts a fifth into `val`")
        return lists
    if "val" in lists or "train" not in lists:
        raise UserError(
            "`--val` cannot be used: the source has splits of its own. Received: "
            f"{', '.join(sorted(lists))}. Omit it."
        )
    groups = sorted({_group(image_id) for image_id in lists["train"]}, key=_digest)
    if len(groups) < 2:
        raise UserError("`--val` requires at least two images. Received: one. Omit it.")
    chosen = set(groups[: min(max(round(splitting.val * len(groups)), 1), len(groups) - 1)])
    val = [image_id for image_id in lists["train"] if _group(image_id) in chosen]
    train = [image_id for image_id in lists["train"] if _group(image_id) not in chosen]
    return {**lists, "train": train, "val": val}


def _group(image_id: str) -> str:
    # Roboflow's augmented copies of one photograph must not be on both sides.
    return image_id.partition(".rf.")[0]
