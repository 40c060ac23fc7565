"""Proposals of many images, found by worker processes that never load TensorFlow.

Images are identified by their id, the file name without folder and extension.
"""

import contextlib
import functools
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from tfdeconv.boxes import Proposals
from tfdeconv.errors import UserError
from tfdeconv.images import read_image
from tfdeconv.progress import track
from tfdeconv.proposals.edge_boxes import EdgeKind, choose_forest, propose
from tfdeconv.proposals.edges import check_forest


def propose_files(
    paths: Iterable[str | os.PathLike[str]],
    edges: EdgeKind = "auto",
    max_boxes: int = 2000,
    forest: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
) -> dict[str, Proposals]:
    """Finds proposals in many image files; see `propose`.

    Args:
        paths: The image files. No two may have the same id.
        edges: As for `propose`.
        max_boxes: As for `propose`.
        forest: As for `propose`. Every worker loads it once.
        jobs: Number of worker processes; by default the cores that this process may use. One job,
            or one image, needs no worker. Workers are spawned: a script that starts them needs
            `if __name__ == "__main__":`.

    Returns:
        Image id -> `Proposals`, in the order of `paths`, the same for any number of jobs.

    Raises:
        UserError: when two files have one id, or for the first image in the order of `paths` that
            cannot be read. The workers are stopped.
        ValueError: for misuse.

    Example:

    >>> propose_files([])
    {}
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"`jobs` must be at least 1. Received: jobs={jobs}")
    files = _by_id(paths)
    if (chosen := choose_forest(edges, forest)) is not None:
        check_forest(chosen)
    work = functools.partial(_propose_file, edges=edges, max_boxes=max_boxes, forest=forest)
    jobs = min(jobs or _available_cores(), len(files))
    results = map(work, files.values()) if jobs < 2 else _in_workers(work, files.values(), jobs)
    return dict(zip(files, track(results, "Proposing", total=len(files)), strict=True))


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _by_id(paths: Iterable[str | os.PathLike[str]]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in map(Path, paths):
        if path.stem in files:
            raise UserError(
                f"`{path}` must differ from the other images in its name without ending. "
                f"Received: `{files[path.stem]}` as well. Rename one of them, or leave it out."
            )
        files[path.stem] = path
    return files


def _propose_file(
    path: Path, edges: EdgeKind, max_boxes: int, forest: str | os.PathLike[str] | None
) -> Proposals:
    return propose(read_image(path), edges, max_boxes, forest)


def _in_workers(
    work: Callable[[Path], Proposals], files: Iterable[Path], jobs: int
) -> Iterator[Proposals]:
    # Spawned, not forked: a fork would inherit the threads and the memory of TensorFlow.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=_start_worker)
    try:
        with _holding_back_ctrl_c():
            results = pool.map(work, files)
        yield from results
    except BrokenProcessPool as error:
        raise UserError(
            "A worker process died: out of memory, or the script that starts it is not a file or "
            'lacks `if __name__ == "__main__":`. Add that, or use fewer jobs; one job needs no '
            "workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _holding_back_ctrl_c() -> Iterator[None]:
    # Ctrl-C reaches every process of the terminal, and one that is still starting could die of it
    # with the queue of the others locked. Workers inherit the mask; here it is lifted again. Other
    # threads of this process have no mask, so that the handler has to hold the signal back, too.
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    if not hasattr(signal, "pthread_sigmask") or not in_main_thread or handler is None:
        yield
        return
    asked: list[int] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if asked:
        signal.raise_signal(signal.SIGINT)


def _start_worker() -> None:
    import cv2

    # The cores are shared out among the workers already.
    cv2.setNumThreads(1)
    # The parent decides what follows a Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A killed parent cannot notify its workers, and they would wait for work forever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
