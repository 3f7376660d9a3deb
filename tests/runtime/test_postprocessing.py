"""One video: its shots, its key frames, and frames and detections that keep together."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.errors import InvalidArrayError
from heatprop.letterbox import InputFormat
from heatprop.propagation import PropagationConfig
from heatprop.runtime.keyframes import KeyframeClock, KeyframeConfig
from heatprop.runtime.postprocessing import Postprocessing
from heatprop.runtime.preprocessing import PreparedFrame, Preprocessing, Seen
from heatprop.types import Detections, HeadOutput
from same_detections import assert_same_detections

FORM = InputFormat(longest_side=128, multiple=32)
FORMS = [PropagationConfig.paper(), PropagationConfig.adaptive()]
SIDE = 128


def scene(x: float, seed: int = 0) -> np.ndarray:
    """Return a frame with a patch at x that has detail, on a plain ground that is no blank."""
    image = np.full((SIDE, SIDE, 3), 90, np.uint8)
    image[: SIDE // 2] = 160
    patch = cv2.GaussianBlur(np.random.default_rng(seed).integers(0, 255, (32, 32, 3), np.uint8), (5, 5), 1.5)
    left = round(x)
    image[40:72, left : left + 32] = cv2.normalize(patch, None, 0, 255, cv2.NORM_MINMAX)
    return image


def seen(x: float | None) -> HeadOutput:
    """Return a network's output for the patch: its middle, 8 x 8 cells; or nothing."""
    heatmap = np.zeros((1, SIDE // 4, SIDE // 4), np.float32)
    if x is not None:
        heatmap[0, 14, round((x + 16) / 4)] = 0.8
    return HeadOutput(heatmap, np.full((2, SIDE // 4, SIDE // 4), 8, np.float32))


class Video:
    """One video: what its frames so far mean for the next is committed when nothing can fail any more."""

    def __init__(
        self,
        keyframes: KeyframeConfig,
        propagation: PropagationConfig | None = None,
        *,
        forget_at_cuts: bool = True,
    ) -> None:
        self.preprocessing = Preprocessing(FORM, KeyframeClock(keyframes), forget_at_cuts)
        between = keyframes.fill == "between"
        self.postprocessing = Postprocessing(propagation, 0.05, 4, fills_between=between)
        self.seen, self.state = Seen(), self.postprocessing.begin()

    def prepare(self, image: np.ndarray) -> PreparedFrame:
        frame, self.seen = self.preprocessing.prepare(image, self.seen)
        return frame

    def take(self, frame: PreparedFrame, output: HeadOutput | None) -> list[Detections]:
        self.state, found = self.postprocessing.step(self.state, frame, output)
        return found

    def finish(self) -> list[Detections]:
        return self.postprocessing.finish(self.state)


def go_through(
    images: list[np.ndarray],
    says: list[float | None],
    keyframes: KeyframeConfig,
    propagation: PropagationConfig | None = None,
    *,
    forget_at_cuts: bool = True,
) -> tuple[list[Detections], list[int]]:
    """Return the detections of each frame, and the numbers of the key frames."""
    video = Video(keyframes, propagation, forget_at_cuts=forget_at_cuts)
    found: list[Detections] = []
    key_frames = []
    for number, (image, x) in enumerate(zip(images, says, strict=True)):
        frame = video.prepare(image)
        if frame.network_input is not None:
            key_frames.append(number)
        found += video.take(frame, None if frame.network_input is None else seen(x))
        assert len(found) <= number + 1
    found += video.finish()
    assert len(found) == len(images)
    return found, key_frames


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 7),
    st.sampled_from(["past", "between"]),
    st.integers(1, 20),
    st.sampled_from([None, *FORMS]),
)
def test_every_frame_has_its_own_detections(
    interval: int, fill: str, frames: int, propagation: PropagationConfig | None
) -> None:
    places = [10 + 2.0 * number for number in range(frames)]
    config = KeyframeConfig(interval=interval, fill=fill)
    found, key_frames = go_through([scene(x) for x in places], places, config, propagation)
    assert key_frames == list(range(0, frames, interval))
    for x, each in zip(places, found, strict=True):
        assert len(each) == 1
        centre = (each.boxes[0, 0] + each.boxes[0, 2]) / 2
        assert centre == pytest.approx(x + 16, abs=5)


@pytest.mark.parametrize("propagation", FORMS)
def test_lengths_count_key_frames(propagation: PropagationConfig) -> None:
    places = [20.0] * 9
    found, _ = go_through([scene(20)] * 9, places, KeyframeConfig(interval=3, fill="past"), propagation)
    assert [each.lengths.tolist() for each in found] == [[1]] * 3 + [[2]] * 3 + [[3]] * 3


@pytest.mark.parametrize("propagation", FORMS)
def test_propagation_follows_what_moves_further_than_its_radius_between_key_frames(
    propagation: PropagationConfig,
) -> None:
    places = [10 + 6.0 * number for number in range(13)]  # 9 cells in 6 frames
    says = [x if number != 12 else None for number, x in enumerate(places)]
    keyframes = KeyframeConfig(interval=6, fill="past")
    found, key_frames = go_through([scene(x) for x in places], says, keyframes, replace(propagation, alpha=0.9))
    assert key_frames == [0, 6, 12]
    assert found[6].lengths.tolist() == [2]
    assert found[12].lengths.tolist() == [3]  # propagated where the network detected nothing
    assert (found[12].boxes[0, 0] + found[12].boxes[0, 2]) / 2 == pytest.approx(places[12] + 16, abs=8)


@pytest.mark.parametrize("fill", ["past", "between"])
def test_a_shot_begins_with_a_key_frame_and_what_was_before_does_not_reach_into_it(fill: str) -> None:
    other = scene(60)[::-1]
    images, says = [scene(20)] * 4 + [np.ascontiguousarray(other)] * 4, [20.0] * 4 + [None] * 4
    found, key_frames = go_through(images, says, KeyframeConfig(interval=30, fill=fill), PropagationConfig())
    assert key_frames == [0, 4]
    assert [len(each) for each in found] == [1] * 4 + [0] * 4


@pytest.mark.parametrize("fill", ["past", "between"])
def test_a_frame_of_another_size_begins_anew(fill: str) -> None:
    wide = np.ascontiguousarray(cv2.resize(scene(20), (256, 128)))
    found, key_frames = go_through(
        [scene(20)] * 3 + [wide] * 3, [20.0] * 6, KeyframeConfig(interval=30, fill=fill), PropagationConfig()
    )
    assert key_frames == [0, 3]
    assert [each.lengths.tolist() for each in found] == [[1]] * 6


def test_a_video_that_begins_black_has_its_key_frame_when_it_begins() -> None:
    black = np.zeros((SIDE, SIDE, 3), np.uint8)
    found, key_frames = go_through(
        [black] * 3 + [scene(20)] * 5, [None] * 3 + [20.0] * 5, KeyframeConfig(interval=30, fill="past")
    )
    assert key_frames == [0, 3]
    assert [len(each) for each in found] == [0] * 3 + [1] * 5


def test_a_key_frame_that_is_due_at_a_flash_comes_after_it() -> None:
    flash = np.full((SIDE, SIDE, 3), 255, np.uint8)
    images = [scene(20)] * 3 + [flash] + [scene(20)] * 3
    says = [20.0] * 3 + [None] + [20.0] * 3
    found, key_frames = go_through(images, says, KeyframeConfig(interval=3, fill="past"), PropagationConfig())
    assert key_frames == [0, 4]
    assert [len(each) for each in found] == [1] * 7


def test_what_leaves_the_frame_is_not_shown_between_key_frames() -> None:
    places = [90.0, 96.0, 96.0, 96.0]
    images = [np.roll(scene(20), 70 + 12 * number, axis=1) for number in range(4)]
    found, _ = go_through(images, places, KeyframeConfig(interval=30, fill="past"))
    for each in found:
        assert ((each.boxes[:, 2:] - each.boxes[:, :2]) > 0).all()


def test_a_target_that_runs_the_network_on_each_frame_changes_nothing() -> None:
    places = [10 + 2.0 * number for number in range(12)]
    images = [scene(x) for x in places]
    with_target, key_frames = go_through(
        images, places, KeyframeConfig(target_fps=1, fill="past"), PropagationConfig()
    )
    usual, _ = go_through(images, places, KeyframeConfig(), PropagationConfig())
    assert key_frames == list(range(12))
    for one, other in zip(with_target, usual, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_between_looks_motion_is_not_lost_on_the_way() -> None:
    places = [10.0, 30.0, 32.0, 34.0, 36.0]  # it jumps, then creeps
    found, key_frames = go_through([scene(x) for x in places], places, KeyframeConfig(interval=4, fill="between"))
    assert key_frames == [0, 4]
    centres = [float(each.boxes[0, 0] + each.boxes[0, 2]) / 2 for each in found]
    assert all(a < b + 1 for a, b in pairwise(centres))


@pytest.mark.parametrize("propagation", FORMS)
def test_a_broken_output_moves_nothing(propagation: PropagationConfig) -> None:
    video = Video(KeyframeConfig(interval=2, fill="past"), propagation)
    first, second, third = (video.prepare(scene(x)) for x in (20, 32, 44))
    video.take(first, seen(20))
    video.take(second, None)
    broken = HeadOutput(np.full((1, 32, 32), np.nan, np.float32), np.full((2, 32, 32), 8, np.float32))
    for _ in range(3):
        with pytest.raises(InvalidArrayError):
            video.take(third, broken)
    (found,) = video.take(third, seen(44))
    assert found.lengths.tolist() == [2]


def broken(kind: str) -> HeadOutput:
    """Return an output that is refused, early or late; or of which the grid is another."""
    side = SIDE // 8 if kind == "grid" else SIDE // 4
    heatmap, size = np.zeros((1, side, side), np.float32), np.full((2, side, side), 8, np.float32)
    heatmap[0, 3, 3] = np.nan if kind == "heatmap" else 0.9
    size[:, 3, 3] = np.nan if kind == "size" else 8
    return HeadOutput(heatmap, size)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([10, 12, 20, 60]), st.sampled_from([None, None, "heatmap", "size", "grid"])),
        min_size=2,
        max_size=14,
    ),
    st.sampled_from([*FORMS, None]),
    st.sampled_from([KeyframeConfig(interval=n, fill=fill) for n in (1, 3) for fill in ("past", "between")]),  # type: ignore[arg-type]
    st.integers(0, 9),
)
def test_frames_that_fail_count_as_not_given(
    frames: list[tuple[int, str | None]], propagation: PropagationConfig | None, config: KeyframeConfig, cut: int
) -> None:
    found: list[list[Detections]] = [[], []]
    videos = [Video(config, propagation) for _ in found]
    for number, (x, kind) in enumerate(frames):
        image = scene(x, seed=number // 2) if number != cut else 255 - scene(x)
        for twin, video in enumerate(videos):
            if kind is not None and twin == 0:
                # What is not refused fails later: nothing of it is committed.
                other, _ = video.preprocessing.prepare(255 - image, video.seen)
                with contextlib.suppress(InvalidArrayError):
                    video.postprocessing.step(video.state, other, broken(kind))
            frame = video.prepare(image)
            found[twin] += video.take(frame, None if frame.network_input is None else seen(x))
    for twin, video in enumerate(videos):
        found[twin] += video.finish()
    for disturbed, alone in zip(*found, strict=True):
        assert_same_detections(disturbed, alone)


def test_a_frame_that_cannot_be_made_ready_counts_as_not_given() -> None:
    disturbed, alone = (Video(KeyframeConfig(interval=3)) for _ in range(2))
    for number in range(7):
        with pytest.raises(InvalidArrayError):
            disturbed.prepare(scene(10).astype(np.int64))
        made, wanted = disturbed.prepare(scene(10 + number)), alone.prepare(scene(10 + number))
        assert (made.network_input is None) == (wanted.network_input is None)
        assert made.starts_shot == wanted.starts_shot
