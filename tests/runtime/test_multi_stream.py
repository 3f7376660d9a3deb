"""Several videos at once give what each gives alone; what fails ends nobody else; leaving early leaves nothing."""

import inspect
import os
import threading
from dataclasses import replace
from itertools import islice

import cv2
import pytest

import heatprop
from heatprop import MultiStreamDetector, VideoDetector, open_video
from heatprop.errors import InvalidConfigError, SourceError, SourceNotFoundError
from heatprop.io.images import ImageSource
from heatprop.runtime.multi_stream import SourcesError
from same_detections import assert_same_detections
from small_videos import build_video


@pytest.fixture(scope="module")
def several():
    return MultiStreamDetector(backend="onnx", score_threshold=0.05)


@pytest.fixture(scope="module")
def alone():
    return VideoDetector(backend="onnx", score_threshold=0.05)


@pytest.fixture(scope="module")
def clips(demo_clip, tmp_path_factory):
    """Return the real clip's frames 0 to 9 and 30 to 45 as frames, and a painted video."""
    folder = tmp_path_factory.mktemp("clips")
    with open_video(demo_clip) as video:
        frames = list(islice(video, 46))
    for name, part in (("first", frames[:10]), ("second", frames[30:])):
        (folder / name).mkdir()
        for frame in part:
            cv2.imwrite(str(folder / name / f"{frame.index}.png"), frame.image[..., ::-1])
    return [folder / "first", str(folder / "second"), build_video(folder / "painted.mp4", 12)]


def threads_of_ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("heatprop")]


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_what_is_found_in_each_is_what_is_found_in_it_alone(several, alone, clips, at_once):
    got = [[] for _ in clips]
    for number, frame, found in several.stream(clips, at_once=at_once):
        got[number].append((frame.index, found))
    for source, together in zip(clips, got, strict=True):
        wanted = [(frame.index, found) for frame, found in alone.stream(source)]
        assert [index for index, _ in together] == [index for index, _ in wanted]
        for (_, found), (_, want) in zip(together, wanted, strict=True):
            assert_same_detections(found, want)
    assert sum(len(found) for _, found in got[1]) > 20
    assert threads_of_ours() == []


def test_it_takes_what_the_detector_takes(several):
    own, detector = inspect.signature(MultiStreamDetector), inspect.signature(VideoDetector)
    assert list(own.parameters.values()) == list(detector.parameters.values())
    assert several.detector.score_threshold == 0.05
    with pytest.raises(TypeError):
        MultiStreamDetector(no_such_setting=1)


def test_all_sources_are_seen_at_the_input_size_that_is_asked_for(clips):
    settings = {"backend": "onnx", "score_threshold": 0.05, "input_size": 320}
    got = [[] for _ in clips]
    for number, _, found in MultiStreamDetector(**settings).stream(clips):
        got[number].append(found)
    alone = VideoDetector(**settings)
    for source, together in zip(clips, got, strict=True):
        for found, (_, want) in zip(together, alone.stream(source), strict=True):
            assert_same_detections(found, want)
    assert sum(map(len, got[1])) > 10


class Breaking(ImageSource):
    def _frames(self):
        yield from islice(super()._frames(), 3)
        raise SourceError("first: the cable")


def test_sources_that_fail_do_not_end_the_others_and_one_error_names_them(several, clips):
    counts = [0] * 4
    with (
        Breaking(clips[0]) as breaking,
        pytest.raises(
            SourcesError, match=r"2 of 4 sources failed: gone.mp4: no such file.*; .*first: the cable"
        ) as e,
    ):
        for number, _, _ in several.stream(["gone.mp4", clips[1], breaking, clips[2]], at_once=2):
            counts[number] += 1
    assert counts == [0, 16, 3, 12]
    assert list(e.value.errors) == [0, 2]
    assert isinstance(e.value.errors[0], SourceNotFoundError)
    assert isinstance(e.value, SourceError)
    assert threads_of_ours() == []


def test_who_listens_to_errors_gets_them_and_nothing_is_raised(several, clips):
    told = []
    streamed = several.stream(["gone.mp4", clips[0]], on_error=lambda *error: told.append(error))
    assert [number for number, _, _ in streamed] == [1] * 10
    assert [(number, type(error)) for number, error in told] == [(0, SourceNotFoundError)]


def test_leaving_early_closes_everything_but_what_the_caller_opened(several, clips):
    with open_video(clips[1]) as video:
        for _ in several.stream([clips[0], video, clips[2]]):
            break
        assert threads_of_ours() == []
        assert next(iter(video)).index == 0


class Camera(ImageSource):
    """A camera that never ends."""

    def __init__(self, path):
        super().__init__(path)
        self.info = replace(self.info, is_live=True)

    def _frames(self):
        while True:
            yield from super()._frames()


def test_live_sources_all_run_at_once_and_files_beside_them(several, clips):
    seen = [0] * 4
    with Camera(clips[0]) as one, Camera(clips[1]) as other:
        for number, _, _ in several.stream([clips[2], clips[2], one, other], at_once=1):
            seen[number] += 1
            if min(seen) > 3:
                break
    assert seen[0] == 12


@pytest.mark.parametrize(("sources", "at_once"), [("a.mp4", 4), (["a.mp4"], 0), (["a.mp4"], 1.5)])
def test_what_makes_no_sense_is_refused(several, sources, at_once):
    with pytest.raises(InvalidConfigError):
        next(several.stream(sources, at_once=at_once))


def test_a_source_that_turns_out_to_be_live_gives_its_place_to_the_next_file(several, clips, monkeypatch):
    def open_video(source):
        return Camera(source) if source == clips[0] else heatprop.open_video(source)

    monkeypatch.setattr("heatprop.runtime.stream.open_video", open_video)
    seen = [0] * 3
    for number, _, _ in several.stream([clips[0], clips[1], clips[2]], at_once=1):
        seen[number] += 1
        if seen[1:] == [16, 12]:
            break
    assert seen[0] > 0
    assert threads_of_ours() == []


def test_no_sources_give_nothing(several):
    assert list(several.stream([])) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_that_nobody_writes_into_takes_no_place_of_a_file(several, clips, tmp_path):
    os.mkfifo(tmp_path / "pipe.ts")
    seen = []
    for number, frame, _ in several.stream([tmp_path / "pipe.ts", clips[0]], at_once=1):
        seen.append((number, frame.index))
        if len(seen) == 10:
            with open(tmp_path / "pipe.ts", "wb"):  # it ends with nothing
                break
    assert seen == [(1, index) for index in range(10)]
