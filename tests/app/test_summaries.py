"""The strip and figure 4, against slow and obvious code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_client import Client
from heatprop.app.overview import Overview, lacking
from heatprop.app.score_curve import Sighting, boxes_over_time, window_of
from heatprop.boxes import iou
from heatprop.types import Detections


@st.composite
def detections(draw: st.DrawFn) -> Detections:
    """A few boxes on a coarse grid, so that overlaps of a half occur."""
    count = draw(st.integers(0, 5))
    places = np.array(draw(st.lists(st.integers(0, 4), min_size=2 * count, max_size=2 * count))).reshape(-1, 2)
    ids = draw(st.lists(st.integers(0, 8), min_size=count, max_size=count, unique=True))
    labels = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    boxes = np.concatenate([places, places + np.array([2, 1 + draw(st.integers(1, 3))])], axis=1) if count else []
    return Detections(boxes, np.linspace(0.9, 0.3, count), labels, track_ids=ids)


def without_partner(some: Detections, others: Detections) -> list[bool]:
    return [
        not any(
            label == other_label and iou(box[None], other[None])[0] >= 0.5
            for other, other_label in zip(others.boxes, others.labels, strict=True)
        )
        for box, label in zip(some.boxes, some.labels, strict=True)
    ]


@given(st.lists(st.tuples(detections(), detections()), max_size=8))
def test_an_overview_says_what_a_look_at_each_frame_says(frames: list[tuple[Detections, Detections]]) -> None:
    overview = Overview()
    for alone, propagated in frames:
        overview.add(alone, propagated)
    said = overview.to_json()
    recovered = [sum(without_partner(propagated, alone)) for alone, propagated in frames]
    suppressed = [sum(without_partner(alone, propagated)) for alone, propagated in frames]
    assert said["boxes"] == {"recovered": sum(recovered), "suppressed": sum(suppressed)}
    assert said["recovered"] == [frame for frame, count in enumerate(recovered) if count]
    assert said["suppressed"] == [frame for frame, count in enumerate(suppressed) if count]
    assert said["bin"] == 1
    assert said["counts"]["propagated"] == [len(propagated) for _, propagated in frames]
    for each in said["objects"]:
        where = [frame for frame, (_, found) in enumerate(frames) if each["id"] in found.track_ids.tolist()]
        assert [frame for first, last in each["spans"] for frame in range(first, last + 1)] == where
        assert len(where) == each["frames"]
    assert {each["id"] for each in said["objects"]} == {
        number for _, found in frames for number in found.track_ids.tolist()
    }


@given(detections(), detections())
def test_a_box_lacks_a_partner_where_none_of_its_class_overlaps_it_by_half(
    some: Detections, others: Detections
) -> None:
    assert lacking(some, others).tolist() == without_partner(some, others)


def test_a_long_run_has_bounded_bins() -> None:
    overview = Overview()
    one, none = Detections([[0, 0, 4, 4]], [0.5], [0]), Detections.empty()
    for number in range(4100):
        overview.add(none, one if number % 3 == 0 else none)
    said = overview.to_json()
    assert (said["bin"], len(said["counts"]["propagated"])) == (3, 1367)
    assert set(said["counts"]["propagated"][:-1]) == {0.33}


@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 3000), st.integers(1, 3001))
def test_a_window_lies_in_the_run_and_around_what_is_looked_at(
    first: int, length: int, at: int, after: int
) -> None:
    last = first + length
    frames = last + after
    start, stop = window_of(first, last, at, frames)
    assert 0 <= start < stop <= frames
    assert stop - start <= 512
    if first <= at <= last:
        assert start <= at < stop


def test_a_box_goes_straight_over_a_gap_and_stays_before_and_after() -> None:
    seen = [Sighting(2, np.float32([0, 0, 4, 4]), 0.5), Sighting(4, np.float32([4, 2, 8, 6]), 0.5)]
    assert boxes_over_time(seen, 0, 6).tolist() == [
        [0, 0, 4, 4], [0, 0, 4, 4], [0, 0, 4, 4], [2, 1, 6, 5], [4, 2, 8, 6], [4, 2, 8, 6],
    ]  # fmt: skip


def overview_of(client: Client, run: str, key: str = "") -> dict[str, Any]:
    return client.until(
        lambda: found if (found := client.get(f"/api/runs/{run}/overview?key={key}").json)["done"] else None
    )


HIDDEN = list(range(30, 150, 10))


def test_the_strip_shows_where_propagation_kept_an_object_that_was_hidden(shown: tuple[Client, str]) -> None:
    client, run = shown
    overview = overview_of(client, run)
    assert set(HIDDEN) <= set(overview["recovered"])
    assert overview["boxes"]["recovered"] >= len(HIDDEN)
    person = max((each for each in overview["objects"] if each["label"] == 0), key=lambda each: each["frames"])
    assert person["spans"] == [[0, 149]]
    alone = overview_of(client, run, "alone-0.3")
    assert (alone["recovered"], alone["suppressed"], alone["objects"]) == ([], [], [])


def test_figure_4_shows_the_network_failing_and_propagation_holding(shown: tuple[Client, str]) -> None:
    client, run = shown
    overview = overview_of(client, run)
    person = max((each for each in overview["objects"] if each["label"] == 0), key=lambda each: each["frames"])
    curve = client.get(f"/api/runs/{run}/score?id={person['id']}&at=40").json
    assert (curve["from"], len(curve["network"]), len(curve["propagated"]), curve["label"]) == (0, 150, 150, 0)
    frames = client.detections(run)
    for number, (alone, propagated) in enumerate(zip(curve["network"], curve["propagated"], strict=True)):
        row = frames[number]["ids"].index(person["id"])
        assert propagated == frames[number]["scores"][row]
        assert (alone < 0.01) == (number in HIDDEN)
        assert propagated >= 0.3


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("", 400, "say which object is meant by its id"),
        ("?id=999", 404, "no object has the id 999"),
        ("?id=-1", 400, "id is '-1'"),
        ("?id=x", 400, "id is 'x'"),
        ("?id=0&key=0123456789ab", 404, "there are no detections of the key '0123456789ab'"),
    ],
)
def test_an_object_that_is_not_there_is_told(
    shown: tuple[Client, str], query: str, status: int, said: str
) -> None:
    client, run = shown
    answer = client.get(f"/api/runs/{run}/score{query}")
    assert answer.status == status
    assert answer.error.startswith(said)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?from=0&to=513", "frames 0 to 513 are asked for; ask for 512 at most"),
        ("?from=5&to=4", "frames 5 to 4 are asked for"),
        ("?from=-1", "from is '-1'"),
        ("?to=1e9", "to is '1e9'"),
    ],
)
def test_a_range_of_frames_is_bounded(shown: tuple[Client, str], query: str, said: str) -> None:
    client, run = shown
    answer = client.get(f"/api/runs/{run}/detections{query}")
    assert (answer.status, answer.error.startswith(said)) == (400, True)


def test_frames_beyond_the_end_are_not_there(shown: tuple[Client, str]) -> None:
    client, run = shown
    found = client.get(f"/api/runs/{run}/detections?from=140&to=200").json
    assert (found["from"], found["to"], len(found["frames"])) == (140, 150, 10)
    assert client.get(f"/api/runs/{run}/frames/150.jpg").status == 409


def test_the_network_alone_is_shown_from_the_threshold_that_is_asked_for(shown: tuple[Client, str]) -> None:
    client, run = shown
    for threshold in (0.05, 0.5, 0.9):
        frames = client.detections(run, f"alone-{threshold:g}")
        scores = [score for frame in frames for score in frame["scores"]]
        assert min(scores, default=1) >= threshold
        assert {number for frame in frames for number in frame["ids"]} <= {-1}


def test_the_newest_setting_is_computed_first(shown: tuple[Client, str]) -> None:
    client, run = shown
    keys = [client.tune(run, alpha=alpha / 100)["key"] for alpha in range(40, 60)]
    assert len(set(keys)) == 20
    found = client.detections(run, keys[-1])
    assert len(found) == 150
    # Of the others some were left; the last ones are kept, and whoever asks again gets them.
    assert client.detections(run, keys[-2])
    assert client.tune(run, alpha=0.59)["key"] == keys[-1]
    assert client.detections(run, keys[-1]) == found
