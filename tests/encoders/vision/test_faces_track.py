"""Following faces by position, and choosing the speaker's: properties over invented boxes and patches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.encoders.vision.detect import overlaps, squares, surest
from moodline.encoders.vision.track import PATCH, Track, Tracker, patch_motion, ranked, speakers_face

coordinate = st.floats(-50, 300, allow_nan=False)
box = st.tuples(coordinate, coordinate, st.floats(1, 120), st.floats(1, 120)).map(
    lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]]
)
boxes = st.lists(box, max_size=5).map(lambda rows: np.array(rows, dtype=float).reshape(-1, 4))


@settings(max_examples=60, deadline=None)
@given(boxes, boxes)
def test_overlap_is_symmetric_and_a_share(a: np.ndarray, b: np.ndarray) -> None:
    shared = overlaps(a, b)
    assert shared.shape == (len(a), len(b))
    assert ((shared >= 0) & (shared <= 1 + 1e-9)).all()
    np.testing.assert_allclose(shared, overlaps(b, a).T)
    np.testing.assert_allclose(np.diag(overlaps(a, a)), 1)
    assert (overlaps(a, b, of_smaller=True) >= shared - 1e-9).all()
    square = squares(a)
    np.testing.assert_allclose(square[:, 2] - square[:, 0], square[:, 3] - square[:, 1], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(boxes, st.floats(0, 1))
def test_what_is_left_does_not_overlap_and_what_is_gone_does(a: np.ndarray, most: float) -> None:
    scores = np.linspace(1, 0, len(a))
    keep = surest(a, scores, most)
    shared = overlaps(a, a)
    for n in range(len(a)):
        surer = [k for k in keep if k < n]
        assert (n in keep) == (not surer or shared[n, surer].max() <= most)


@settings(max_examples=60, deadline=None)
@given(st.lists(boxes, min_size=1, max_size=6))
def test_every_face_has_one_track_of_its_own(frames: list[np.ndarray]) -> None:
    tracker, known = Tracker(), set[int]()
    for n, frame in enumerate(frames):
        found = tracker.add(n * 0.2, frame)
        assert len(found) == len(frame) == len(set(found))
        known.update(found)
    assert known == set(range(len(known)))
    assert max(map(len, frames)) <= len(known) <= sum(map(len, frames))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(2, 20), st.integers(0, 1000))
def test_faces_that_move_slowly_keep_their_tracks(faces: int, frames: int, seed: int) -> None:
    """Whatever the order in which a picture's faces come."""
    rng = np.random.default_rng(seed)
    places, tracker, tracks = np.arange(faces) * 100.0, Tracker(), list[int]()
    for n in range(frames):
        places = places + rng.uniform(-8, 8, faces)
        rows = np.stack([places, np.zeros(faces), places + 60, np.full(faces, 60.0)], axis=1)
        order = rng.permutation(faces)
        found = tracker.add(n * 0.2, rows[order])
        now = [found[list(order).index(face)] for face in range(faces)]
        tracks = tracks or now
        assert now == tracks


def test_a_face_may_be_gone_for_a_moment() -> None:
    tracker, here, none = Tracker(), np.array([[0.0, 0, 10, 10]]), np.zeros((0, 4))
    assert tracker.add(0.0, here) == [0]
    assert tracker.add(0.2, none) == []
    assert tracker.add(0.8, here) == [0]
    assert tracker.add(2.0, here) == [1]
    assert tracker.add(2.2, here + 100) == [2]


def patch(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (PATCH, PATCH)).astype(np.uint8)


def track(pictures: list[int], area: float = 0.1, mouth: bool = False, name: int = 0) -> Track:
    """A face whose mouth moves or does not."""
    return Track(
        pictures,
        [area] * len(pictures),
        [np.full((112, 112, 3), name, dtype=np.uint8) for _ in pictures],
        [patch(n if mouth else 0) for n in pictures],
        [patch(0) for _ in pictures],
    )


def test_motion_of_patches() -> None:
    whole = np.random.default_rng(0).integers(0, 256, (60, 60)).astype(np.uint8)
    same, moved, other = whole[10:42, 10:42], whole[12:44, 7:39], patch(1)
    assert patch_motion(same, same) == 0
    assert patch_motion(same, moved) == 0  # as a whole
    assert patch_motion(same, other) > 0.5
    assert patch_motion(np.zeros_like(same), np.zeros_like(same)) == 0


def test_who_speaks() -> None:
    small, large = track([0, 1, 2], 0.05, mouth=True), track([0, 1, 2], 0.2)
    assert ranked([large, small])[0] is small
    quiet = track([0, 1, 2], 0.05)
    assert ranked([quiet, large])[0] is large
    assert ranked([track([0], 0.05, mouth=True), large])[0] is large  # one picture shows no motion
    assert ranked([]) == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sets(st.integers(0, 7), min_size=1), st.booleans()), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_each_picture_gets_one_of_its_faces(made: list[tuple[set[int], bool]], random) -> None:
    tracks = [track(sorted(p), 0.1 + n / 10, mouth, n + 1) for n, (p, mouth) in enumerate(made)]
    chosen = speakers_face(tracks, 8)
    shuffled = list(tracks)
    random.shuffle(shuffled)
    names = [None if c is None else int(c[0, 0, 0]) for c in chosen]
    assert names == [None if c is None else int(c[0, 0, 0]) for c in speakers_face(shuffled, 8)]
    for n, name in enumerate(names):
        visible = {k + 1 for k, t in enumerate(tracks) if n in t.pictures}
        assert (name in visible) if visible else name is None


def test_the_order_of_rank_decides_where_several_are_visible() -> None:
    both = [track([0, 1, 2, 3], 0.1, mouth=True, name=1), track([2, 3, 4], 0.3, name=2)]
    assert [None if c is None else int(c[0, 0, 0]) for c in speakers_face(both, 6)] == [1, 1, 1, 1, 2, None]


@pytest.mark.parametrize("frames", [[], [np.zeros((0, 4))] * 3])
def test_nothing_to_follow(frames: list[np.ndarray]) -> None:
    tracker = Tracker()
    assert [tracker.add(n * 0.2, frame) for n, frame in enumerate(frames)] == [[]] * len(frames)
