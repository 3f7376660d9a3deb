"""Of each object the best sighting is kept, as a slow search over all frames finds it, in bounded memory."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from heatprop.io.best_sightings import BestSightings, Sighting
from heatprop.types import Detections, Frame

SIDE = 40


def frame(index: int) -> Frame:
    """Return a frame whose pixels say which it is, and where in it they are."""
    image = np.full((SIDE, SIDE, 3), index % 256, np.uint8)
    image[..., 1] = np.arange(SIDE)[:, None]
    image[..., 2] = np.arange(SIDE)
    return Frame(image, index, index / 25)


sights = st.dictionaries(
    st.integers(0, 3),
    st.tuples(
        st.integers(0, 30), st.integers(0, 30), st.integers(1, 15), st.sampled_from([0.3, 0.501, 0.504, 0.9])
    ),
    max_size=4,
)


def detections(seen: dict[int, tuple[int, int, int, float]]) -> Detections:
    boxes = [[x, y, min(x + side, SIDE), min(y + side, SIDE)] for x, y, side, _ in seen.values()]
    scores = [score for *_, score in seen.values()]
    return Detections(np.reshape(boxes, (-1, 4)), scores, [0] * len(seen), track_ids=[*seen])


def best_of(videos: Sequence[dict[int, tuple[int, int, int, float]]], track_id: int) -> int:
    """Return in which frame an object is seen best, by trying all."""
    found = []
    for index, seen in enumerate(videos):
        if track_id in seen:
            x, y, side, score = seen[track_id]
            x2, y2 = min(x + side, SIDE), min(y + side, SIDE)
            is_whole = x > 1 and y > 1 and x2 < SIDE - 1 and y2 < SIDE - 1
            found.append((is_whole, round(float(np.float32(score)), 2), (x2 - x) * (y2 - y), -index))
    return -max(found)[3]


def run(best: BestSightings, video: Sequence[dict[int, tuple[int, int, int, float]]]) -> list[Sighting]:
    given_up: list[Sighting] = []
    for index, seen in enumerate(video):
        given_up += best.update(frame(index), detections(seen))
    return [*given_up, *best.rest()]


@given(st.lists(sights, max_size=12), st.integers(0, 12), st.sampled_from([0, 500, 10**6]))
def test_the_last_one_given_up_of_an_object_is_its_best(video, gone_after: int, most_bytes: int) -> None:
    given_up = run(BestSightings(gone_after, most_bytes), video)
    assert {each.track_id for each in given_up} == {track_id for seen in video for track_id in seen}
    for track_id in {each.track_id for each in given_up}:
        last = [each for each in given_up if each.track_id == track_id][-1]
        assert last.index == best_of(video, track_id)
        x1, y1, x2, y2 = map(int, last.box)
        assert np.array_equal(last.image, frame(last.index).image[y1:y2, x1:x2])


@given(st.lists(sights, max_size=12))
def test_with_room_and_patience_each_object_is_given_up_once(video) -> None:
    ids = [each.track_id for each in run(BestSightings(), video)]
    assert len(ids) == len(set(ids))


def test_one_that_is_gone_is_given_up_at_once_and_again_only_if_it_comes_back_better() -> None:
    best = BestSightings(gone_after=2)
    seen = [{7: (5, 5, 10, 0.5)}, {}, {}, {}, {7: (5, 5, 9, 0.5)}, {}, {}, {}, {7: (5, 5, 9, 0.9)}, {}, {}, {}]
    given_up = [[each.index for each in best.update(frame(n), detections(s))] for n, s in enumerate(seen)]
    assert given_up == [[], [], [], [0], [], [], [], [], [], [], [], [8]]


def test_pixels_that_wait_do_not_grow_with_the_number_of_objects() -> None:
    best = BestSightings(gone_after=10**6, most_bytes=20_000)
    most = 0
    for index in range(500):
        list(best.update(frame(index), detections({index: (5, 5, 15, 0.5)})))
        most = max(most, sum(sighting.image.nbytes for _, sighting in best._waiting.values()))
    assert most <= 20_000


def test_detections_without_an_id_are_no_objects() -> None:
    best = BestSightings()
    found = Detections([[5, 5, 20, 20]], [0.9], [0])
    assert not [*best.update(frame(0), found), *best.rest()]
