"""Progress without a terminal: a line every ten seconds, by a clock of the test."""

import itertools

from tfdeconv.progress import track


def clock(step: float):
    """A clock that `step` seconds pass on between two readings."""
    return itertools.count(0, step).__next__


def test_a_line_every_ten_seconds_tells_how_far_it_is(capsys) -> None:
    assert list(track("abcdef", "Adding", clock=clock(4))) == list("abcdef")
    assert capsys.readouterr().err == (
        "Adding: 2/6 (33 %), 24 seconds left\nAdding: 5/6 (83 %), 5 seconds left\n"
    )


def test_of_unknown_length_it_counts(capsys) -> None:
    assert list(track(iter("abcdef"), "Adding", clock=clock(4))) == list("abcdef")
    assert capsys.readouterr().err == "Adding: 2\nAdding: 5\n"


def test_short_work_is_silent(capsys) -> None:
    assert sum(track([1, 2, 3], "Adding", clock=clock(2))) == 6
    assert capsys.readouterr().err == ""
