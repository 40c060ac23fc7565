"""Edges: thinning against loops and OpenCV, orientation against OpenCV, the forest's file."""

import gzip

import cv2
import numpy as np
import pytest

from tests.proposals.toy_forest import toy_forest
from tests.reference import edges as reference
from tfdeconv.errors import UserError
from tfdeconv.proposals.edges import check_forest, gradient_edges, structured_edges, thin


def angle_between(a, b):
    """The angle between two undirected normals, in [0, pi / 2]."""
    difference = np.abs(a - b) % np.pi
    return np.minimum(difference, np.pi - difference)


def ridge(size, angle, width=3.0):
    """A straight bright line through the middle of a picture, its normal at `angle`."""
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    distance = columns * np.cos(angle) + rows * np.sin(angle)
    return np.exp(-((distance / width) ** 2)).astype(np.float32)


@pytest.mark.parametrize("shape", [(2, 2), (2, 9), (13, 7), (16, 21)])
@pytest.mark.parametrize("radius", [1, 2, 3])
def test_thinning_is_the_loop(shape, radius):
    rng = np.random.default_rng(sum(shape) + radius)
    strength = rng.random(shape, np.float32) * (rng.random(shape) < 0.8)
    orientation = (rng.random(shape) * np.pi).astype(np.float32)
    thinned = thin(strength, orientation, radius)
    assert thinned.dtype == np.float32
    np.testing.assert_array_equal(thinned, reference.thin(strength, orientation, radius))


def test_of_equal_neighbours_the_farther_one_stays():
    strength = np.float32([[0, 3, 7, 7, 3, 0]] * 3)
    kept = thin(strength, np.zeros_like(strength))
    assert kept.tolist() == [[0, 0, 0, 7, 0, 0]] * 3
    kept = thin(np.ascontiguousarray(strength.T), np.full((6, 3), np.pi / 2, np.float32))
    assert kept.T.tolist() == [[0, 0, 0, 7, 0, 0]] * 3


def test_a_plateau_vanishes():
    assert not thin(np.ones((9, 9), np.float32), np.full((9, 9), 0.7, np.float32)).any()


def test_thinning_is_opencv_s_where_nothing_is_equal(tmp_path):
    detector = cv2.ximgproc.createStructuredEdgeDetection(str(toy_forest(tmp_path)))
    rng = np.random.default_rng(0)
    strength = cv2.GaussianBlur(rng.random((40, 52), np.float32), (0, 0), 2)
    orientation = (rng.random(strength.shape) * np.pi).astype(np.float32)
    theirs = detector.edgesNms(strength, orientation, r=2, s=0, m=1, isParallel=False)
    inside = np.s_[3:-3, 3:-3]
    np.testing.assert_array_equal(thin(strength, orientation)[inside], theirs[inside])


@pytest.mark.parametrize("degrees", [0, 20, 45, 70, 90, 110, 135, 160])
def test_orientation_is_the_angle_of_the_normal(degrees, tmp_path):
    angle = np.deg2rad(degrees)
    rows, columns = np.mgrid[:64, :64] - 31.5
    step = columns * np.cos(angle) + rows * np.sin(angle) > 1e-6
    edges = gradient_edges(np.where(step[..., None], 200, 50).astype(np.uint8).repeat(3, axis=-1))
    middle = edges.strength[16:48, 16:48] > 0.5
    ours = edges.orientation[16:48, 16:48][middle]
    assert middle.sum() >= 20
    assert angle_between(ours, angle).max() < np.deg2rad(6)
    # OpenCV takes atan(tan(angle) ** 2), up to 12 degrees off between the axes and the diagonals;
    # the noise is for its sign, which is lost on lines that run exactly along an axis.
    detector = cv2.ximgproc.createStructuredEdgeDetection(str(toy_forest(tmp_path)))
    noise = np.random.default_rng(1).normal(0, 1e-3, (64, 64)).astype(np.float32)
    theirs = detector.computeOrientation(ridge(64, angle) + noise)[24:40, 24:40]
    on_ridge = ridge(64, angle)[24:40, 24:40] > 0.9
    assert np.median(angle_between(theirs[on_ridge], angle)) < np.deg2rad(13)


def test_edges_of_a_step_stand_at_the_step():
    image = np.full((40, 60, 3), 90, np.uint8)
    image[:, 25:] = (90, 180, 90)
    edges = gradient_edges(image)
    assert edges.strength.dtype == edges.orientation.dtype == np.float32
    assert edges.strength.max() == 1
    rows, columns = np.nonzero(edges.strength > 0.1)
    assert set(columns.tolist()) <= {24, 25} and len(set(rows.tolist())) == 40


def test_what_the_eye_cannot_see_is_faint():
    image = np.full((32, 32, 3), 120, np.uint8)
    assert not gradient_edges(image).strength.any()
    image[:, 16:] += 1
    assert 0 < gradient_edges(image).strength.max() < 0.5


def test_a_forest_finds_edges_and_thins_them(tmp_path):
    image = np.full((80, 100, 3), 50, np.uint8)
    image[20:60, 30:70] = 200
    strength, orientation = structured_edges(image, toy_forest(tmp_path))
    assert strength.shape == orientation.shape == (80, 100)
    rows, columns = np.nonzero(strength > 0.1)
    assert {rows.min() in range(17, 23), rows.max() in range(57, 63)} == {True}
    assert {columns.min() in range(27, 33), columns.max() in range(67, 73)} == {True}
    assert not strength[25:55, 35:65].any()


def test_a_packed_forest_is_read_too(tmp_path):
    plain = toy_forest(tmp_path)
    packed = tmp_path / "model.yml.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    image = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
    for a, b in zip(structured_edges(image, plain), structured_edges(image, packed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_files_that_are_no_forest_are_named(tmp_path):
    good = toy_forest(tmp_path).read_bytes()
    damaged = {
        "missing.yml": None,
        "empty.yml": b"",
        "other.yml": b"%YAML:1.0\n---\nmodel: 1\n",
        "no_trees.yml": good.replace(b"numberOfTrees: 1", b"numberOfTrees: 0"),
        "short.yml": good[: good.index(b"edgeBins")],
        "short.yml.gz": gzip.compress(good)[:-20],
        "noise.yml.gz": b"\x1f\x8b" + bytes(range(200)),
    }
    for name, data in damaged.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=f"{name}` must be a structured forest"):
            check_forest(tmp_path / name)
    broken = tmp_path / "broken.yml"
    broken.write_bytes(good.replace(b"childs:", b"childs: ]["))
    with pytest.raises(UserError, match=r"broken.yml` must be a structured forest"):
        structured_edges(np.zeros((20, 20, 3), np.uint8), broken)


def test_an_opencv_without_contrib_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.delattr(cv2, "ximgproc")
    with pytest.raises(UserError, match="opencv-contrib-python-headless"):
        structured_edges(np.zeros((20, 20, 3), np.uint8), toy_forest(tmp_path))
