"""Many files at once: the same for any number of workers, and an end that leaves none behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import CHECKOUT, run_python
from tests.proposals.toy_forest import toy_forest
from tfdeconv.errors import UserError
from tfdeconv.images import encode_png
from tfdeconv.proposals import propose_files
from tfdeconv.proposals.parallel import _in_workers


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for name in ("d", "b", "a", "c"):
        image = rng.integers(0, 60, (60, 80, 3), np.uint8)
        image[rng.integers(0, 25) :, rng.integers(0, 35) :] += 150
        (folder / f"{name}.png").write_bytes(encode_png(image))
    return [folder / f"{name}.png" for name in ("d", "b", "a", "c")]


def what_a_worker_has_loaded(_: Path) -> tuple[set[str], int]:
    """Runs in a worker: heavy modules it has loaded, and how many threads OpenCV may use."""
    import cv2

    import tfdeconv.proposals  # noqa: F401

    return {"tensorflow", "keras", "jax", "torch"} & set(sys.modules), cv2.getNumThreads()


def assert_no_worker_is_left():
    until = time.monotonic() + 10
    while multiprocessing.active_children() and time.monotonic() < until:
        time.sleep(0.05)
    assert not multiprocessing.active_children()


def test_any_number_of_jobs_gives_the_same_in_the_order_of_the_files(photographs):
    alone = propose_files(photographs, max_boxes=100, jobs=1)
    together = propose_files(map(str, photographs), max_boxes=100, jobs=2)
    assert list(alone) == list(together) == ["d", "b", "a", "c"]
    for name in alone:
        np.testing.assert_array_equal(alone[name].boxes, together[name].boxes)
        np.testing.assert_array_equal(alone[name].scores, together[name].scores)
    assert_no_worker_is_left()


def test_workers_load_no_tensorflow_and_use_one_thread_each(photographs):
    for loaded, threads in _in_workers(what_a_worker_has_loaded, photographs[:2], jobs=1):
        assert loaded == set()
        assert threads == 1


def test_a_broken_image_is_named_and_the_workers_end(photographs, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(photographs[0].read_bytes()[:60])
    for jobs in (1, 2):
        with pytest.raises(UserError, match=r"broken\.png"):
            propose_files([*photographs, broken, tmp_path / "missing.png"], jobs=jobs)
    assert_no_worker_is_left()


def end_this_process(_: Path) -> None:
    os._exit(9)


def test_a_worker_that_is_ended_from_outside_is_told(photographs):
    with pytest.raises(UserError, match="fewer jobs"):
        list(_in_workers(end_this_process, photographs, jobs=1))
    assert_no_worker_is_left()


def test_files_of_one_name_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"b/x\.jpg` must differ .* `.*a/x\.png` as well"):
        propose_files([tmp_path / "a" / "x.png", tmp_path / "b" / "x.jpg"])


def test_a_missing_forest_is_told_before_any_work(photographs, tmp_path):
    with pytest.raises(UserError, match=r"model\.yml\.gz"):
        propose_files(photographs, forest=tmp_path / "model.yml.gz")
    with pytest.raises(UserError, match="need a forest"):
        propose_files(photographs, edges="structured")
    with pytest.raises(ValueError, match="jobs=0"):
        propose_files(photographs, jobs=0)


def test_a_forest_reaches_the_workers(photographs, tmp_path):
    forest = toy_forest(tmp_path)
    alone = propose_files(photographs[:2], forest=forest, max_boxes=50, jobs=1)
    together = propose_files(photographs[:2], forest=forest, max_boxes=50, jobs=2)
    np.testing.assert_array_equal(alone["b"].boxes, together["b"].boxes)


MANY = """
import signal
import sys
from pathlib import Path
from tfdeconv.proposals import propose_files
if __name__ == "__main__":
    # As a terminal has it: what a shell starts in the background ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        propose_files(sorted(Path(sys.argv[1]).iterdir()), jobs=2)
    except KeyboardInterrupt:
        sys.exit("interrupted")
"""


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("seconds", [0.0, 1.5])  # Workers are starting, or at work.
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_ctrl_c_or_a_kill(sign, seconds, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    image = encode_png(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8))
    for number in range(200):
        (folder / f"{number}.png").write_bytes(image)
    script = tmp_path / "script.py"
    script.write_text(MANY)
    process = subprocess.Popen(
        [sys.executable, script, folder],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + 30
    while len(children(process.pid)) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(seconds)
    workers = children(process.pid)
    if sign == signal.SIGINT:
        os.killpg(process.pid, sign)  # as a terminal does
    else:
        process.kill()
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    until = time.monotonic() + 10
    while any(map(is_running, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert len(workers) >= 2 and not any(map(is_running, workers))
    if sign == signal.SIGINT:
        assert (process.returncode, errors) == (1, "interrupted\n")


def test_importing_proposals_loads_nothing_heavy():
    heavy = "{'tensorflow', 'keras', 'jax', 'torch', 'cv2'}"
    process = run_python(
        "-c", f"import sys, tfdeconv.proposals; print({heavy} & set(sys.modules) or 'light')"
    )
    assert process.stdout == "light\n", process.stderr
