"""Tracks are joined as the step-by-step version joins them, and nothing but ids changes."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.offline.joining import JoiningConfig, join_tracks
from heatprop.types import Detections
from reference.joining import join

seeds = st.integers(0, 2**32 - 1)
gaps = st.sampled_from([0, 1, 3, 20])
overlaps = st.sampled_from([0.0, 0.2, 0.6, 1.0])


@st.composite
def videos(draw):
    """Short videos of ids that come and go, change class, touch or not, and of boxes without any."""
    row = st.tuples(st.integers(-1, 5), st.integers(0, 4), st.sampled_from([0, 4, 8]), st.integers(0, 9))
    frame = st.lists(row, max_size=5)
    video = []
    for rows in draw(st.lists(frame, max_size=14)):
        seen = {}
        for number, x, side, score in rows:
            seen.setdefault(number if number >= 0 else -len(seen) - 1, (x, side, score))
        numbers = [max(number, -1) for number in seen]
        boxes = np.array([[2 * x, 0, 2 * x + side, 6] for x, side, _ in seen.values()]).reshape(-1, 4)
        scores = [score / 10 for *_, score in seen.values()]
        labels = [draw(st.integers(0, 1)) if number == 5 else number % 2 for number in numbers]
        video.append(Detections(boxes, scores, np.array(labels, np.int64), track_ids=np.array(numbers, np.int64)))
    return video


def walks(seed, count=20, frames=50):
    """Return tracks that were cut to pieces, {id: list of (frame, box, label)}, by a seed."""
    generator = np.random.default_rng(seed)
    tracks = {}
    for _ in range(count):
        start, velocity = generator.uniform(0, 150, 2), generator.uniform(-3, 3, 2)
        width, height = generator.uniform(10, 30, 2)
        label, frame = int(generator.integers(2)), int(generator.integers(frames))
        while frame < frames:
            track = []
            for _ in range(int(generator.integers(1, 14))):
                if generator.random() < 0.8:
                    x, y = start + velocity * frame + generator.normal(0, 1, 2)
                    box = [x, y, x + width * generator.uniform(0.8, 1.2), y + height]
                    track.append((frame, np.float32(box).astype(float).tolist(), label))
                frame += 1
            if track:
                tracks[len(tracks)] = track
            frame += int(generator.integers(0, 12))
    return tracks, frames


def as_video(tracks, frames):
    rows = [[] for _ in range(frames)]
    for number, track in tracks.items():
        for frame, box, label in track:
            if frame < frames:
                rows[frame].append((box, label, number))
    return [
        Detections(
            np.array([row[0] for row in each]).reshape(-1, 4),
            np.full(len(each), 0.9),
            np.array([row[1] for row in each], np.int64),
            track_ids=np.array([row[2] for row in each], np.int64),
        )
        for each in rows
    ]


def roots_of(video, joined):
    """Return what became of each id."""
    became = defaultdict(set)
    for before, after in zip(video, joined, strict=True):
        for old, new in zip(before.track_ids.tolist(), after.track_ids.tolist(), strict=True):
            became[old].add(new)
    return became


def ids_of(video):
    return [found.track_ids.tolist() for found in video]


def moving(frames, number, *, x=0.0, step=2.0, label=2, width=20.0, score=0.9):
    """Return a track that moves right, {frame: row}."""
    return {t: ([x + step * t, 0, x + step * t + width, 10], score, label, number) for t in frames}


def video_of(*tracks, length=40):
    frames = [[track[t] for track in tracks if t in track] for t in range(length)]
    return [
        Detections(
            np.array([row[0] for row in rows]).reshape(-1, 4),
            [row[1] for row in rows],
            np.array([row[2] for row in rows], np.int64),
            track_ids=np.array([row[3] for row in rows], np.int64),
        )
        for rows in frames
    ]


# the same as the step-by-step version


@given(seeds, gaps, overlaps, st.booleans())
def test_tracks_are_joined_as_by_the_step_by_step_version(seed, max_gap, min_iou, has_cut):
    tracks, frames = walks(seed)
    cuts = [frames // 2] if has_cut else []
    video = as_video(tracks, frames)
    joined = join_tracks(video, JoiningConfig(max_gap=max_gap, min_iou=min_iou), shots=cuts)
    seen = {number: [each for each in track if each[0] < frames] for number, track in tracks.items()}
    wanted = join({number: track for number, track in seen.items() if track}, max_gap, min_iou, cuts)
    assert roots_of(video, joined) == {old: {new} for old, new in wanted.items()}


def test_the_step_by_step_version_joins_something():
    tracks, frames = walks(1)
    wanted = join({number: each for number, each in tracks.items() if each[-1][0] < frames}, 20, 0.2)
    assert sum(old != new for old, new in wanted.items()) > 5


# what must hold whatever comes in


@given(videos(), gaps, overlaps, st.sampled_from([0.0, 0.5]), st.sets(st.integers(0, 14), max_size=2))
def test_nothing_but_ids_changes_and_none_doubles(video, max_gap, min_iou, min_score, shots):
    config = JoiningConfig(max_gap=max_gap, min_iou=min_iou, min_score=min_score)
    joined = join_tracks(video, config, shots=shots)
    assert len(joined) == len(video)
    for before, after in zip(video, joined, strict=True):
        for name in ("boxes", "scores", "labels", "lengths"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
        np.testing.assert_array_equal(before.track_ids < 0, after.track_ids < 0)
        numbers = after.track_ids[after.track_ids >= 0]
        assert len(np.unique(numbers)) == len(numbers)
    assert ids_of(join_tracks(joined, config, shots=shots)) == ids_of(joined)


@given(videos(), seeds, st.sampled_from([0.0, 0.5]))
def test_the_order_within_frames_does_not_matter(video, seed, min_score):
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(found)) for found in video]
    mixed = [found.select(order) for found, order in zip(video, orders, strict=True)]
    config = JoiningConfig(min_score=min_score)
    for found, other, order in zip(join_tracks(video, config), join_tracks(mixed, config), orders, strict=True):
        np.testing.assert_array_equal(found.track_ids[order], other.track_ids)


@given(seeds)
def test_tracks_of_different_classes_are_never_joined(seed):
    tracks, frames = walks(seed)
    joined = join_tracks(as_video(tracks, frames))
    labels = defaultdict(set)
    for found in joined:
        for number, label in zip(found.track_ids.tolist(), found.labels.tolist(), strict=True):
            labels[number].add(label)
    assert all(len(each) == 1 for each in labels.values())


@given(seeds, st.integers(1, 49))
def test_nothing_is_joined_over_a_cut(seed, cut):
    tracks, frames = walks(seed)
    video = as_video(tracks, frames)
    whole = {number for found in video[:cut] for number in found.track_ids.tolist()}
    whole &= {number for found in video[cut:] for number in found.track_ids.tolist()}
    joined = join_tracks(video, shots=[cut])
    sides = [
        {number for found in part for number in found.track_ids.tolist()} for part in (joined[:cut], joined[cut:])
    ]
    kept_on = {new for old, each in roots_of(video, joined).items() if old in whole for new in each}
    assert sides[0] & sides[1] <= kept_on


# by example


def test_the_id_of_the_earliest_goes_along_a_chain():
    video = video_of(
        moving(range(4), 8), moving(range(6, 12), 3), moving(range(12, 16), 9), moving(range(30, 40), 1, x=500)
    )
    assert ids_of(join_tracks(video)) == [
        *[[8]] * 4, [], [], *[[8]] * 10, *[[]] * 14, *[[1]] * 10,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("gap", "max_gap", "is_joined"), [(1, 1, True), (5, 5, True), (6, 5, False), (1, 0, False)]
)
def test_gaps_count_from_the_last_frame_to_the_first(gap, max_gap, is_joined):
    video = video_of(moving(range(5), 0), moving(range(4 + gap, 20), 1))
    joined = join_tracks(video, JoiningConfig(max_gap=max_gap))
    assert joined[-30 + 9].track_ids.tolist() == [0 if is_joined else 1]


def test_motion_finds_what_stands_nowhere_near():
    video = video_of(moving(range(8), 0, step=6.0), moving(range(20, 28), 1, step=6.0))
    assert join_tracks(video)[27].track_ids.tolist() == [0]


@pytest.mark.parametrize("place", [42, 120], ids=["where it was lost", "where it would be"])
def test_motion_must_agree_on_both_sides(place):
    """Something that stands there came another way."""
    stands = {t: ([place, 0, place + 20, 10], 0.9, 2, 1) for t in range(20, 30)}
    assert join_tracks(video_of(moving(range(8), 0, step=6.0), stands))[29].track_ids.tolist() == [1]


@pytest.mark.parametrize(
    "other",
    [{"label": 3}, {"width": 65.0}, {"x": 60.0}],
    ids=["another class", "another size", "elsewhere"],
)
def test_what_does_not_fit_stays_apart(other):
    video = video_of(moving(range(8), 0), moving(range(10, 18), 1, **other))
    assert join_tracks(video)[17].track_ids.tolist() == [1]


@pytest.mark.parametrize(("count", "number"), [(2, 1), (3, 0)])
def test_short_tracks_stay_apart(count, number):
    video = video_of(moving(range(8), 0), moving(range(10, 10 + count), 1))
    assert join_tracks(video)[10].track_ids.tolist() == [number]


def test_of_two_that_fit_the_better_wins():
    video = video_of(moving(range(8), 0), moving(range(10, 18), 1, x=6.0), moving(range(10, 18), 2, x=1.0))
    assert join_tracks(video)[17].track_ids.tolist() == [1, 0]


def test_tracks_are_what_is_shown_of_them_and_the_weak_give_way():
    fades = moving(range(20), 4) | moving(range(8, 20), 4, score=0.2)
    video = video_of(fades, moving(range(10, 20), 9))
    assert join_tracks(video)[15].track_ids.tolist() == [4, 9]
    joined = join_tracks(video, JoiningConfig(min_score=0.3))
    assert [joined[t].track_ids.tolist() for t in (7, 9, 15)] == [[4], [4], [9, 4]]


def test_without_ids_nothing_happens():
    video = [Detections([[0, 0, 4, 4]] * 2, [0.9, 0.8], [0, 0]) for _ in range(5)]
    assert join_tracks(video) == video
    assert join_tracks([]) == []


def test_an_id_that_a_frame_has_twice_is_refused():
    twice = Detections([[0, 0, 4, 4]] * 2, [0.9, 0.8], [0, 1], track_ids=[7, 7])
    with pytest.raises(InvalidArrayError, match="frame 1 has id 7 twice; an id is one object"):
        join_tracks([Detections.empty(), twice])


@pytest.mark.parametrize(
    "settings", [{"max_gap": -1}, {"max_gap": 10_001}, {"min_iou": 1.1}, {"min_iou": -0.1}, {"min_score": 2}]
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(InvalidConfigError):
        JoiningConfig(**settings)
