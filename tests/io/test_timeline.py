"""A bad stamp moves its own frame and no other, whatever it says; a clock that jumps is followed."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.io import open_video
from heatprop.io.timeline import STAMPS_AHEAD, Clock, Stretch, Timeline
from small_videos import build_video, number_of, paint

STEP = 0.04
Stamps = Sequence[float | None]
anything = st.none() | st.floats(-1e6, 1e6)


def placed(
    stamps: Stamps,
    *,
    ahead: bool = True,
    step: float = STEP,
    longest_pause: float = 3600.0,
    end: float | None = None,
) -> list[float]:
    """Place stamps one after another, with those that follow where a source would read ahead."""
    timeline = Timeline(step, longest_pause, end=end)
    times = []
    for place, stamp in enumerate(stamps):
        following = None
        if ahead:
            coming = stamps[place + 1 : place + 1 + STAMPS_AHEAD] if timeline.doubts(stamp) else ()
            following = [other for other in coming if other is not None]
        times.append(timeline.place(stamp, following, is_last=ahead and place == len(stamps) - 1))
    return times


def even(count: int, start: float = 0.0, step: float = STEP) -> list[float]:
    return [start + place * step for place in range(count)]


def worst(times: list[float], wanted: list[float]) -> float:
    return max(abs(time - right) for time, right in zip(times, wanted, strict=True))


def test_stamps_that_are_wrong_are_mended_at_the_nominal_rate() -> None:
    stamps = [7.0, 7.1, None, 7.3, 7.3, 7.2, 7.6, 900.0, 900.1, 0.0, 0.2]
    wanted = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1]
    assert placed(stamps, ahead=False, step=0.1) == pytest.approx(wanted)


def test_a_first_frame_without_stamp_is_at_0() -> None:
    assert placed([None, 3.0, 3.25], ahead=False, step=0.5) == pytest.approx([0.0, 0.5, 0.75])
    assert placed([None, 3.0, 3.25, 3.5], step=0.5) == pytest.approx([0.0, 0.25, 0.5, 0.75])


@given(st.lists(anything, max_size=40), st.booleans(), st.floats(1e-3, 100))
def test_times_only_go_forward(stamps: Stamps, ahead: bool, step: float) -> None:
    times = placed(stamps, ahead=ahead, step=step)
    assert times[:1] in ([], [0.0])
    assert all(before < after for before, after in pairwise(times))


@given(st.lists(st.floats(0.001, 0.9), min_size=2, max_size=60), st.booleans())
def test_a_rate_that_varies_is_kept_to_the_tick(steps: list[float], ahead: bool) -> None:
    wanted = [sum(steps[:place]) for place in range(len(steps))]
    assert placed([5 + time for time in wanted], ahead=ahead) == pytest.approx(wanted)


@given(st.data(), st.floats(-100, 1e5))
def test_a_few_wild_stamps_in_a_row_move_no_good_one(data: st.DataObject, start: float) -> None:
    good = even(60)
    stamps: list[float | None] = [start + time for time in good]
    bad = set()
    for first in range(5, 50, 12):
        for place in range(first, first + data.draw(st.integers(0, STAMPS_AHEAD // 2 - 1))):
            stamps[place] = data.draw(st.none() | st.floats(1, 1e6).map(lambda far: start - 3 + far * 3))
            if stamps[place] is not None and abs(stamps[place] - start - good[place]) < 1:
                stamps[place] = None
            bad.add(place)
    times = placed(stamps)
    kept = [place for place in range(60) if place not in bad]
    assert worst([times[place] for place in kept], [good[place] for place in kept]) < STEP
    assert worst(times, good) < 4 * STEP


@given(st.lists(anything | st.floats(0, 4), min_size=4, max_size=4))
def test_single_bad_stamps_move_no_good_one_however_near_they_are(bad: list[float | None]) -> None:
    good = even(60)
    stamps: list[float | None] = [1 + time for time in good]
    for place, stamp in zip(range(5, 50, 12), bad, strict=True):
        stamps[place] = stamp
    times = placed(stamps)
    kept = [place for place in range(60) if place not in range(5, 50, 12)]
    assert worst([times[place] for place in kept], [good[place] for place in kept]) < STEP


def test_a_stamp_that_two_neighbours_bear_is_right_for_the_later() -> None:
    stamps = [0.0, 0.1, 0.2, 0.3, 0.5, 0.5, 0.6, 0.7]
    assert placed(stamps, step=0.1) == pytest.approx(even(8, step=0.1))


@given(st.integers(2, 30), st.none() | st.floats(-1e5, 1e5))
def test_one_bad_stamp_of_a_live_source_moves_no_other(place: int, bad: float | None) -> None:
    good = even(60)
    stamps: list[float | None] = [1000 + time for time in good]
    stamps[place] = bad
    times = placed(stamps, ahead=False, longest_pause=10.0)
    assert worst(times[place + 8 :], good[place + 8 :]) < STEP


@pytest.mark.parametrize("every", [2, 3, 5, 50])
@pytest.mark.parametrize("ahead", [True, False])
def test_stamps_that_stand_there_twice_add_up_to_nothing(every: int, ahead: bool) -> None:
    # As rounding and doubled frames give them: the clock of the stamps is right.
    stamps = [time for place, time in enumerate(even(600)) for _ in range(2 if place % every == every - 1 else 1)]
    assert worst(placed(stamps, ahead=ahead), stamps) <= STEP + 1e-6


@pytest.mark.parametrize("stamp", [None, 0.0, -5.0, 7e4])
@pytest.mark.parametrize("ahead", [True, False])
def test_stamps_that_say_nothing_leave_the_nominal_rate(stamp: float | None, ahead: bool) -> None:
    assert placed([stamp] * 100, ahead=ahead) == pytest.approx(even(100))


@pytest.mark.parametrize("step", [1 / 90_000, 0.001, 100.0])
@pytest.mark.parametrize("ahead", [True, False])
def test_a_nominal_rate_that_is_wrong_moves_nothing(step: float, ahead: bool) -> None:
    stamps: list[float | None] = [*even(30)]
    stamps[20] = None
    assert placed(stamps, ahead=ahead, step=step) == pytest.approx(even(30))


@given(
    st.lists(st.tuples(st.integers(6, 40), st.floats(-1e5, 1e5)), min_size=2, max_size=6),
    st.booleans(),
)
def test_a_clock_that_starts_anew_is_followed(parts: list[tuple[int, float]], ahead: bool) -> None:
    stamps, clock = [], 0.0
    for count, jump in parts:
        # A jump forward by less is a pause, and back by less is told by reading ahead alone.
        clock = clock + jump if jump < -2 or jump > 10.5 else 0.0 if clock > 2 else clock + 20
        stamps += even(count, clock)
        clock = stamps[-1]
    times = placed(stamps, ahead=ahead, longest_pause=10.0)
    # A clock that was left counts as going on where the stamp is at most two frames before what is due on it.
    assert worst(times, even(len(stamps))) < 3 * STEP


@pytest.mark.parametrize("count", [3, 6, 12])
def test_short_parts_one_after_another_are_told_by_looking_ahead(count: int) -> None:
    assert placed(even(count) * 20) == pytest.approx(even(20 * count))


def test_a_pause_of_a_file_is_kept_and_a_jump_of_days_is_not() -> None:
    pause = [*even(10), *even(10, 300.0)]
    assert placed(pause) == pytest.approx(pause)
    assert placed([*even(10), *even(10, 3e5)]) == pytest.approx(even(20))
    assert placed(pause, longest_pause=10.0) == pytest.approx(even(20))


@pytest.mark.parametrize("last", [5.0, 30.16, 3000.0])
@pytest.mark.parametrize("count", [1, 2, 5, 60])
def test_the_last_frame_after_a_pause_keeps_its_time(count: int, last: float) -> None:
    stamps = [*even(count), even(count)[-1] + last]
    assert placed(stamps) == pytest.approx(stamps)
    assert placed(stamps, end=stamps[-1] + STEP) == pytest.approx(stamps)


def test_a_last_stamp_that_nothing_can_bear_out_moves_its_frame_alone() -> None:
    usual = even(31)
    beyond_the_end = [*even(30), 900.0]
    assert placed(beyond_the_end, end=1.24) == pytest.approx(usual)
    beyond_any_pause = [*even(30), 36_000.0]
    assert placed(beyond_any_pause) == pytest.approx(usual)
    of_a_clock_that_may_jump = [*even(30), 30.0]
    assert placed(of_a_clock_that_may_jump, longest_pause=10.0) == pytest.approx(usual)


def test_a_live_source_that_falls_silent_is_late_by_one_frame_alone() -> None:
    stamps = [*even(10), *even(10, 5.0)]
    times = placed(stamps, ahead=False)
    assert times[:10] + times[11:] == pytest.approx(stamps[:10] + stamps[11:])


@pytest.mark.parametrize("order", [[1, 4, 3, 5, 2], [0, 2, 1, 3], [3, 0, 2, 1]])
@pytest.mark.parametrize("step", [STEP, 0.001, 1.0])
def test_stamps_of_decoding_order_are_given_in_rising_order(order: list[int], step: float) -> None:
    group = len(order)
    stamps = [(turn * group + place) * STEP for turn in range(20) for place in order]
    times = placed(stamps, step=step)
    assert worst(times[group:], even(len(times))[group:]) <= group * STEP
    assert [after - before for before, after in pairwise(times[group:])] == pytest.approx(
        [STEP] * (len(times) - group - 1)
    )


def test_the_record_of_the_clock_says_where_it_jumped_and_how_far_it_went() -> None:
    clock = Clock([Stretch(9.0, 9.0)])
    timeline = Timeline(STEP, 10.0, clock)
    for stamp in [*even(5, 100.0), *even(5, 0.5)]:
        timeline.place(stamp)
    assert [(each.time, each.stamp) for each in clock.stretches] == [
        pytest.approx((0.0, 100.0)),
        pytest.approx((0.2, 0.5)),
    ]
    assert (clock.end(0), clock.end(1)) == pytest.approx((100.2, 0.66))


# Through files


def write_stamped(path: Path, milliseconds: Sequence[int]) -> Path:
    """Write frames whose packets get just these stamps."""
    with av.open(str(path), "w") as container:
        options = {"g": "1", "bf": "0", "tune": "zerolatency"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        packets = []
        for number in range(len(milliseconds)):
            frame = av.VideoFrame.from_ndarray(paint(number)).reformat(format="yuv420p")
            frame.pts = number
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for number, (packet, stamp) in enumerate(zip(packets, milliseconds, strict=True)):
            packet.time_base, packet.duration = Fraction(1, 1000), 1
            # Decoding times rise in any file that libav writes.
            packet.pts, packet.dts = 1000 + stamp, number
            container.mux(packet)
    return path


def times_of(path: Path) -> list[float]:
    with open_video(path) as video:
        frames = list(video)
    assert [number_of(frame.image) for frame in frames] == [number % 16 for number in range(len(frames))]
    return [frame.time for frame in frames]


@pytest.mark.parametrize("bad", [36_000_000, 9_000, 100])
@pytest.mark.parametrize("place", [1, 12, 22])
def test_a_file_with_a_wild_stamp_keeps_all_others(place: int, bad: int, tmp_path: Path) -> None:
    stamps = [number * 40 for number in range(24)]
    stamps[place] = bad
    times = times_of(write_stamped(tmp_path / "wild.mkv", stamps))
    wanted = even(24)
    del times[place], wanted[place]
    assert worst(times, wanted) < STEP


def test_a_wild_stamp_at_the_end_of_a_file_is_not_followed(tmp_path: Path) -> None:
    times = times_of(write_stamped(tmp_path / "wild.mkv", [*range(0, 920, 40), 36_000_000]))
    assert worst(times, even(24)) < STEP


SLIDES = [0, 10_000, 20_000, 35_000, 36_000, 37_000, 90_000, 180_000]


@pytest.mark.parametrize("milliseconds", [SLIDES, [0, 40, 80, 120, 160, 30_160], [0, 20_000]])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".flv"])
def test_slides_and_screens_keep_their_last_frame_in_its_place(
    suffix: str, milliseconds: list[int], tmp_path: Path
) -> None:
    path = build_video(
        tmp_path / f"slides{suffix}",
        len(milliseconds),
        codec="libvpx" if suffix == ".webm" else "libx264",
        ticks=milliseconds,
        time_base=Fraction(1, 1000),
        options={} if suffix == ".webm" else {"bf": "0"},
    )
    assert times_of(path) == pytest.approx([each / 1000 for each in milliseconds])


def test_a_file_of_doubled_stamps_ends_on_time(tmp_path: Path) -> None:
    stamps = [40 * (number - number // 10) for number in range(100)]
    times = times_of(write_stamped(tmp_path / "doubled.mkv", stamps))
    assert worst(times, [stamp / 1000 for stamp in stamps]) <= STEP + 1e-6


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_streams_one_after_another_go_on(suffix: str, tmp_path: Path) -> None:
    codec = "libx264" if suffix == ".ts" else "mpeg2video"
    part = build_video(tmp_path / f"part{suffix}", 10, codec=codec, time_base=Fraction(1, 25))
    path = tmp_path / f"whole{suffix}"
    path.write_bytes(part.read_bytes() * 3)
    with open_video(path) as video:
        times = [frame.time for frame in video]
        assert worst(times, even(len(times))) < STEP
        assert len(times) == 30
        assert len(video.info.clock.stretches) == 3
        assert [frame.time for frame in video] == times
        assert len(video.info.clock.stretches) == 3


@pytest.mark.parametrize("rate", [25, Fraction(30_000, 1001), 60])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_b_frames_in_a_file_without_presentation_times_come_evenly(
    codec: str, rate: Fraction | int, tmp_path: Path
) -> None:
    options = {"bf": "3", "g": "12"} | ({"x264-params": "b-adapt=0"} if codec == "libx264" else {})
    path = build_video(
        tmp_path / "old.avi", 16, codec=codec, rate=rate, time_base=1 / Fraction(rate), options=options
    )
    with open_video(path) as video:
        frames = list(video)
    assert [number_of(frame.image) for frame in frames] == list(range(16))
    assert worst([frame.time for frame in frames], even(16, step=float(1 / Fraction(rate)))) < 0.002
