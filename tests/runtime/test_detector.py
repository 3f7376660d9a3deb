"""The detector on a real clip: a stream equals a loop, and what it says sits on what one sees."""

import subprocess
import sys
import threading
import weakref
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import cv2
import numpy as np
import pytest

import heatprop
from heatprop import HeatmapPropagator, PropagationConfig, VideoDetector, decode, open_video
from heatprop.errors import (
    BackendError,
    InvalidArrayError,
    InvalidConfigError,
    ModelError,
    SourceError,
    SourceNotFoundError,
)
from heatprop.io.sources import OpenSource, SourceInfo
from heatprop.letterbox import boxes_to_frame, fit_letterbox, letterbox
from heatprop.runtime.keyframes import KeyframeConfig
from heatprop.runtime.preprocessing import Preprocessing, Seen
from heatprop.runtime.timings import StageTimings
from heatprop.types import Frame, HeadOutput
from same_detections import assert_same_detections


@pytest.fixture(scope="module")
def frames(demo_clip):
    with open_video(demo_clip) as video:
        return list(islice(video, 12))


@pytest.fixture(scope="module")
def detector():
    return VideoDetector(backend="onnx")


def test_a_stream_gives_what_frame_by_frame_gives(detector, demo_clip, frames):
    detector.reset()
    stream = list(islice(detector.stream(demo_clip), len(frames)))
    for (frame, streamed), wanted in zip(stream, frames, strict=True):
        assert frame.index == wanted.index
        np.testing.assert_array_equal(frame.image, wanted.image)
        assert_same_detections(streamed, detector.update(wanted.image))


def ids_in_order(ids, shown):
    """Return the number of each object in the order in which they were shown; `shown` has those so far."""
    return [shown.setdefault(each, len(shown)) for each in ids]


def test_it_is_the_parts_put_together(detector, frames):
    propagator, shown = HeatmapPropagator(PropagationConfig.adaptive()), {}
    detector.reset()
    for frame in frames[:4]:
        fitted = fit_letterbox(frame.image.shape[1], frame.image.shape[0], detector.card.input)
        (output,) = detector.backend.infer(letterbox(frame.image, fitted)[None])
        wanted = propagator.update(output, image_area=fitted.image_area(4))
        wanted = wanted.select(wanted.scores >= detector.score_threshold)
        found = detector.update(frame.image)
        boxes, numbers = boxes_to_frame(wanted.boxes, fitted, 4), ids_in_order(wanted.track_ids.tolist(), shown)
        assert_same_detections(found, replace(wanted, boxes=boxes, track_ids=numbers))


def test_propagation_adapts_unless_the_papers_form_is_asked_for(detector, frames):
    assert detector.propagation == PropagationConfig.adaptive()
    found = {}
    for form in (PropagationConfig.adaptive(), PropagationConfig.paper()):
        each = VideoDetector(backend="onnx", propagation=form, score_threshold=0.05)
        found[form] = [each.update(frame.image) for frame in frames[:3]]
    adaptive, papers = found.values()
    assert adaptive[2].lengths.max() == papers[2].lengths.max() == 3
    assert adaptive[2].scores.tolist() != papers[2].scores.tolist()


def test_comparing_gives_the_network_alone_beside_the_stream(detector, demo_clip, frames):
    compared = list(islice(detector.stream(demo_clip, alone=True), len(frames)))
    streamed = list(islice(detector.stream(demo_clip), len(frames)))
    alone = VideoDetector(backend="onnx", propagation=None)
    for result, (frame, wanted) in zip(compared, streamed, strict=True):
        assert result.alone is not None
        assert_same_detections(result.detections, wanted)
        assert_same_detections(result.alone, alone.update(frame.image))
        assert result.alone.lengths.tolist() == [1] * len(result.alone)


def test_a_man_between_two_cars_is_found_and_followed(detector, demo_clip):
    """The shot begins at frame 30 of the clip; a man stands in the middle, a car passes on each side."""
    seen = dict(islice(((frame.index, found) for frame, found in detector.stream(demo_clip)), 37))
    names = [detector.card.classes[label] for label in seen[36].labels]
    assert sorted(names) == ["car", "car", "person"]
    man = seen[36].boxes[names.index("person")]
    assert man[0] < 320 < man[2]
    assert seen[36].lengths.max() == 7
    assert (seen[36].boxes >= 0).all()
    assert (seen[36].boxes <= [640, 272, 640, 272]).all()
    assert (np.diff(seen[36].scores) <= 0).all()


def test_tracks_break_less_often_than_with_the_network_alone(detector, demo_clip):
    counts = np.array(
        [(len(result.alone), len(result.detections)) for result in detector.stream(demo_clip, alone=True)]
    )
    changes = np.abs(np.diff(counts, axis=0)).mean(axis=0)
    assert changes[1] < changes[0]


def test_a_frame_of_another_size_starts_a_new_video(detector, frames):
    detector.reset()
    detector.update(frames[0].image)
    assert set(detector.update(np.ascontiguousarray(frames[0].image[:, :400])).lengths.tolist()) <= {1}


def test_nothing_is_carried_over_a_cut_unless_asked_for(demo_clip):
    """The clip cuts from a man on a bicycle to an empty street at frame 137."""
    for forget, carried in ((True, False), (False, True)):
        detector = VideoDetector(backend="onnx", propagation=PropagationConfig.paper(), forget_at_cuts=forget)
        frames = dict(islice(((frame.index, found) for frame, found in detector.stream(demo_clip)), 139))
        assert frames[136].lengths.max() > 20
        assert (frames[138].lengths.max() > 20) == carried


@pytest.mark.parametrize("level", [0, 255])
def test_one_black_frame_or_a_flash_within_a_shot_forgets_nothing(detector, frames, level):
    preprocessing = Preprocessing(detector.card.input, clock=None, forget_at_cuts=True)
    images = [frame.image for frame in frames[:6]]
    images[4] = np.full_like(images[4], level)
    seen = Seen()
    for image in images:
        frame, seen = preprocessing.prepare(image, seen)
        assert not frame.starts_shot


def test_leaving_a_stream_early_leaves_no_thread(detector, demo_clip):
    for _ in detector.stream(demo_clip):
        break
    assert [thread for thread in threading.enumerate() if thread.name.startswith("heatprop")] == []


def test_a_source_that_the_caller_opened_stays_open(detector, demo_clip):
    with open_video(demo_clip) as video:
        first = [frame.index for frame, _ in islice(detector.stream(video), 3)]
        again = [frame.index for frame, _ in islice(detector.stream(video), 3)]
    assert first == again == [0, 1, 2]


def test_scores_below_the_networks_threshold_can_be_asked_for(frames):
    everything = VideoDetector(backend="onnx", propagation=None, score_threshold=0.0).update(frames[0].image)
    assert everything.scores.min() < 0.05


def test_the_network_sees_images_of_the_input_size_that_is_asked_for(detector, frames):
    small = VideoDetector(backend="onnx", propagation=None, score_threshold=0.05, input_size=320)
    assert small.card.input == replace(detector.card.input, longest_side=320)
    fitted = fit_letterbox(640, 272, small.card.input)
    assert (fitted.input_width, fitted.input_height) == (320, 160)
    (output,) = detector.backend.infer(letterbox(frames[0].image, fitted)[None])
    wanted = decode(output)
    wanted = wanted.select(wanted.scores >= 0.05)
    found = small.update(frames[0].image)
    assert len(found) > 0
    np.testing.assert_array_equal(found.scores, wanted.scores)
    np.testing.assert_array_equal(found.boxes, boxes_to_frame(wanted.boxes, fitted, 4))


@pytest.mark.parametrize(
    ("image", "message"),
    [(np.zeros((4, 4), np.uint8), r"\(4, 4\)"), (np.zeros((4, 4, 3)), "float64"), (None, "NoneType")],
)
def test_what_is_no_image_is_refused(detector, image, message):
    with pytest.raises(InvalidArrayError, match=message):
        detector.update(image)


def test_bad_requests_are_refused_before_work(detector, tmp_path):
    with pytest.raises(ModelError, match="no such model"):
        VideoDetector("yolo")
    with pytest.raises(InvalidConfigError, match="score_threshold"):
        VideoDetector(score_threshold=2)
    with pytest.raises(InvalidConfigError, match="input size is 300"):
        VideoDetector(input_size=300)
    with pytest.raises(SourceNotFoundError, match="missing"):
        next(detector.stream(tmp_path / "missing.mp4"))


def test_the_public_names_are_there_and_no_more():
    assert sorted(heatprop.__all__) == [
        "DetectionPropagator",
        "Detections",
        "Frame",
        "HeadOutput",
        "HeatmapPropagator",
        "HeatpropError",
        "KeyframeConfig",
        "MultiStreamDetector",
        "PropagationConfig",
        "PyramidOutput",
        "SeqNmsConfig",
        "VideoDetector",
        "decode",
        "open_video",
        "seq_nms",
    ]
    assert heatprop.decode is decode


def test_importing_the_package_loads_no_runtime_and_no_torch():
    heavy = ("torch", "onnxruntime", "openvino", "av", "tyro", "rich", "urllib.request")
    code = f"import sys, heatprop; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_update_looks_at_key_frames_and_lets_boxes_follow_between(frames):
    detector = VideoDetector(backend="onnx", keyframes=KeyframeConfig(interval=3), score_threshold=0.2)
    each = VideoDetector(backend="onnx", score_threshold=0.2)
    found = [detector.update(frame.image) for frame in frames[:7]]
    assert (detector.timings.frames, detector.timings.key_frames) == (7, 3)
    assert_same_detections(found[0], each.update(frames[0].image))
    for frame in (1, 2):
        np.testing.assert_array_equal(found[frame].scores, found[0].scores)
        assert 0 < np.median(np.abs(found[frame].boxes - found[0].boxes)) < 10


def test_a_stream_filled_from_the_past_equals_updates(frames, demo_clip):
    keyframes = KeyframeConfig(interval=4, fill="past")
    detector = VideoDetector(backend="onnx", keyframes=keyframes)
    streamed = [found for _, found in islice(detector.stream(demo_clip), len(frames))]
    for frame, found in zip(frames, streamed, strict=True):
        assert_same_detections(detector.update(frame.image), found)


def test_streams_filled_between_looks_keep_frames_and_detections_together(frames, demo_clip):
    detector = VideoDetector(backend="onnx", keyframes=KeyframeConfig(interval=3))
    usual = VideoDetector(backend="onnx")
    pairs = list(islice(detector.stream(demo_clip), len(frames)))
    assert [frame.index for frame, _ in pairs] == list(range(len(frames)))
    for (frame, _), known in zip(pairs, frames, strict=True):
        np.testing.assert_array_equal(frame.image, known.image)
    first = next(iter(usual.stream(demo_clip)))[1]
    assert_same_detections(pairs[0][1], first)


def test_compared_streams_have_as_many_frames_with_looks_at_few(demo_clip):
    detector = VideoDetector(backend="onnx", keyframes=KeyframeConfig(interval=7))
    both = list(islice(detector.stream(demo_clip, alone=True), 20))
    assert [frame.index for frame, _ in both] == list(range(20))


def test_a_stream_counts_into_timings_of_its_own(demo_clip):
    detector = VideoDetector(backend="onnx")
    own = StageTimings()
    list(islice(detector.stream(demo_clip, timings=own), 3))
    assert own.frames >= 3
    assert own.key_frames == own.frames
    assert detector.timings.frames == 0


class Repeated(OpenSource):
    """A file of one frame again and again, which may break on the way; counts the frames that are alive."""

    def __init__(self, image, frames, breaks=False):
        super().__init__()
        height, width, _ = image.shape
        self.info = SourceInfo("repeated", width, height, Fraction(25), frames, frames / 25, False, False)
        self._image, self._breaks = image, breaks
        self._alive = []
        self.most = 0

    def _frames(self):
        for number in range(self.info.frame_count):
            image = self._image.copy()
            self._alive = [each for each in self._alive if each() is not None] + [weakref.ref(image)]
            self.most = max(self.most, len(self._alive))
            yield Frame(image, number, number / 25)
            del image
        if self._breaks:
            raise SourceError("repeated: it broke; mend it")

    def close(self):
        self._is_open = False


@pytest.mark.parametrize("keyframes", [KeyframeConfig(), KeyframeConfig(interval=10)])
def test_all_frames_before_an_error_come_before_it(frames, keyframes):
    detector = VideoDetector(backend="onnx", keyframes=keyframes)
    seen = []
    with pytest.raises(SourceError, match="it broke"):
        seen.extend(frame.index for frame, _ in detector.stream(Repeated(frames[0].image, 28, breaks=True)))
    assert seen == list(range(28))


@pytest.mark.parametrize("interval", [1, 5, 30])
def test_few_frames_are_in_memory_whatever_the_interval_and_the_number_of_streams(frames, interval):
    detector = VideoDetector(backend="onnx", keyframes=KeyframeConfig(interval=interval))
    ahead = detector.backend.concurrency * 5 + 6
    sources = [Repeated(frames[0].image, 70) for _ in range(3)]
    for together in zip(*(detector.stream(source) for source in sources), strict=True):
        assert len({frame.index for frame, _ in together}) == 1
    for source in sources:
        assert source.most <= ahead + interval


class Squeezed(Repeated):
    """A file whose frames are stored narrower than they are shown."""

    def __init__(self, image, ratio):
        super().__init__(image, 3)
        self.info = replace(self.info, sample_aspect_ratio=ratio)


def test_the_network_sees_square_pixels_and_boxes_are_in_stored_ones(demo_clip):
    with open_video(demo_clip) as video:
        image = next(islice(video, 30, None)).image
    height, width, _ = image.shape
    stored = cv2.resize(image, (width * 3 // 4, height), interpolation=cv2.INTER_AREA)
    detector = VideoDetector(backend="onnx")
    shown = detector.update(cv2.resize(stored, (width, height)))
    certain = shown.scores > 0.4
    assert certain.sum() == 3
    found = next(found for _, found in detector.stream(Squeezed(stored, Fraction(4, 3))))
    boxes = found.boxes * (4 / 3, 1, 4 / 3, 1)
    for box, label in zip(shown.boxes[certain], shown.labels[certain], strict=True):
        near = np.abs(boxes - box).max(axis=1)
        assert near.min() < 8
        assert found.labels[near.argmin()] == label


class FailsAt:
    """A network that fails, or says what is no probability, at one frame; at every one if none is given."""

    def __init__(self, detector, kind, image=None):
        self.backend, self.kind, self.concurrency = detector.backend, kind, detector.backend.concurrency
        self.image = None
        if image is not None:
            self.image = letterbox(image, fit_letterbox(image.shape[1], image.shape[0], detector.card.input))

    def infer(self, images):
        outputs = self.backend.infer(images)
        if self.image is not None and not np.array_equal(images[0], self.image):
            return outputs
        if self.kind == "fails":
            raise BackendError("the network failed")
        if self.kind == "stops":
            raise KeyboardInterrupt
        return [HeadOutput(outputs[0].heatmap * 1000, outputs[0].size, outputs[0].offset)]


@pytest.mark.parametrize("kind", ["fails", "stops", "broken", "no image"])
@pytest.mark.parametrize("interval", [1, 3])
def test_after_a_frame_that_failed_all_is_as_if_it_had_not_been_given(frames, interval, kind):
    keyframes = KeyframeConfig(interval=interval)
    alone = VideoDetector(backend="onnx", keyframes=keyframes)
    wanted = [alone.update(frame.image) for frame in frames[:8]]
    disturbed = VideoDetector(backend="onnx", keyframes=keyframes)
    sound = disturbed.backend
    for number, frame in enumerate(frames[:8]):
        disturbed.backend = sound if kind == "no image" else FailsAt(disturbed, kind)
        bad = frame.image[..., :2] if kind == "no image" else 255 - frame.image[::2, ::-2]  # of another size
        with pytest.raises((BackendError, KeyboardInterrupt, InvalidArrayError)):
            disturbed.update(bad)
        disturbed.backend = sound
        assert_same_detections(disturbed.update(frame.image), wanted[number])
    assert disturbed.timings.frames == 8


@pytest.mark.parametrize("kind", ["fails", "broken"])
@pytest.mark.parametrize("interval", [1, 4])
@pytest.mark.parametrize("fill", ["past", "between"])
def test_all_frames_before_a_key_frame_that_failed_are_given(frames, demo_clip, kind, interval, fill):
    detector = VideoDetector(backend="onnx", keyframes=KeyframeConfig(interval=interval, fill=fill))
    sound = list(islice(detector.stream(demo_clip), interval + 1))
    detector.backend = FailsAt(detector, kind, frames[2 * interval].image)
    given = []
    with pytest.raises((BackendError, InvalidArrayError)):
        for item in detector.stream(demo_clip):
            given.append(item)
    assert [frame.index for frame, _ in given] == list(range(2 * interval))
    for (_, found), (_, wanted) in zip(given, sound, strict=False):
        assert_same_detections(found, wanted)
    detector.backend = detector.backend.backend
    again = [frame.index for frame, _ in islice(detector.stream(demo_clip), 5)]
    assert again == list(range(5))


def test_compared_streams_end_together_where_an_output_is_broken(demo_clip, frames):
    detector = VideoDetector(backend="onnx", keyframes=KeyframeConfig(interval=3, fill="between"))
    detector.backend = FailsAt(detector, "broken", frames[3].image)
    given = []
    with pytest.raises(InvalidArrayError):
        for frame, _ in detector.stream(demo_clip, alone=True):
            given.append(frame.index)
    assert given == [0, 1, 2]


def test_a_stream_that_was_left_changes_nothing_for_updates_and_other_streams(detector, demo_clip, frames):
    detector.reset()
    wanted = [detector.update(frame.image) for frame in frames[:4]]
    detector.reset()
    for number, (_, found) in enumerate(detector.stream(demo_clip)):
        assert_same_detections(found, wanted[number])
        assert_same_detections(detector.update(frames[number].image), wanted[number])
        if number == 2:
            break
    assert_same_detections(detector.update(frames[3].image), wanted[3])


def test_a_source_that_failed_can_be_gone_through_again(detector, frames):
    source = Repeated(frames[0].image, 3, breaks=True)
    for _ in range(2):
        given = []
        with pytest.raises(SourceError, match="it broke"):
            for frame, found in detector.stream(source):
                given.append((frame.index, len(found)))
        assert [index for index, _ in given] == [0, 1, 2]
