"""One suite for every kind of source, then what is special to each."""

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.io import VideoSink, VideoSource, open_video
from heatprop.io.camera import CameraSource
from heatprop.io.container_source import ContainerSource
from heatprop.io.folders import natural_order
from small_videos import build_video, number_of, paint, red_corner, turn_video

COUNT = 12


@dataclass
class Case:
    """A kind of source holding the twelve painted images."""

    kind: str
    open: Callable[[], VideoSource]

    @property
    def is_live(self) -> bool:
        return self.kind == "camera"


def write_images(folder: Path, count: int = COUNT, suffix: str = ".png") -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        assert cv2.imwrite(str(folder / f"shot{number}{suffix}"), paint(number)[..., ::-1])
    return folder


@pytest.fixture(params=["mp4", "mkv", "avi", "ts", "file address", "folder", "pattern", "http", "camera"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    kind = request.param
    if kind in ("mp4", "mkv", "avi", "ts"):
        path = build_video(tmp_path / f"clip.{kind}", codec="mpeg4" if kind == "avi" else "libx264")
        return Case(kind, lambda: open_video(path))
    if kind == "file address":
        path = build_video(tmp_path / "a clip.mp4")
        return Case(kind, lambda: open_video(path.as_uri()))
    if kind in ("folder", "pattern"):
        folder = write_images(tmp_path / "shots")
        (folder / "notes.txt").write_text("not an image")
        return Case(kind, lambda: open_video(folder if kind == "folder" else f"{folder}/shot*.png"))
    if kind == "http":
        build_video(tmp_path / "clip.mp4")
        address = request.getfixturevalue("serve")(tmp_path)
        return Case(kind, lambda: open_video(f"{address}/clip.mp4"))
    # OpenCV reads files with the class it reads cameras with.
    path = build_video(tmp_path / "clip.avi", codec="mjpeg", pixel_format="yuvj420p")
    return Case(kind, lambda: CameraSource(cv2.VideoCapture(str(path))))


def read_all(source: VideoSource) -> list:
    """All frames; what plays the camera ends after twelve, which a camera says by an error."""
    frames = []
    try:
        for frame in source:
            frames.append(frame)
    except SourceError:
        assert source.info.is_live
    return frames


def test_a_source_gives_every_frame_in_order_upright_and_on_time(case: Case) -> None:
    with case.open() as source:
        assert isinstance(source, VideoSource)
        frames = read_all(source)
        info = source.info
    assert [frame.index for frame in frames] == list(range(COUNT))
    assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
    times = [frame.time for frame in frames]
    assert times[0] == 0
    assert all(before < after for before, after in pairwise(times))
    if not case.is_live:
        assert times == pytest.approx([number / 25 for number in range(COUNT)], abs=1.5e-3)
        assert source.skipped == 0
    for frame in frames:
        assert frame.image.shape == (info.height, info.width, 3) == (48, 64, 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        assert frame.image.flags.writeable
        assert red_corner(frame.image) == "top left"
        assert frame.image[2, 2].tolist() == pytest.approx([220, 20, 20], abs=30)  # codecs lose some


def test_info_says_what_is_there(case: Case) -> None:
    with case.open() as source:
        info = source.info
    assert (info.width, info.height, info.has_audio) == (64, 48, False)
    assert info.frame_rate == 25
    assert isinstance(info.frame_rate, Fraction)
    assert isinstance(info.sample_aspect_ratio, Fraction)
    assert info.is_live == case.is_live
    if case.is_live:
        assert (info.frame_count, info.duration) == (None, None)
    else:
        assert info.frame_count == COUNT
        assert info.duration == pytest.approx(COUNT / 25, abs=0.05)


def test_a_source_that_is_not_live_can_be_read_again(case: Case) -> None:
    with case.open() as source:
        first = next(iter(source))
        again = read_all(source)
    if case.is_live:
        assert [frame.index for frame in again] == list(range(1, COUNT))
    else:
        assert [frame.index for frame in again] == list(range(COUNT))
        np.testing.assert_array_equal(first.image, again[0].image)


def test_a_closed_source_says_so(case: Case) -> None:
    source = case.open()
    under_way = iter(source)
    next(under_way)
    source.close()
    source.close()
    with pytest.raises(SourceError, match="is closed; open it again"):
        next(under_way)
    with pytest.raises(SourceError, match="is closed; open it again"):
        iter(source)


def test_leaving_early_leaves_no_thread(case: Case) -> None:
    before = threading.active_count()
    with case.open() as source:
        for _ in source:
            break
        reading = threading.active_count()
    assert reading - before <= (1 if case.kind == "http" else 0)  # the server's
    if case.kind != "http":
        assert threading.active_count() == before


# Files and addresses


def test_times_of_a_variable_frame_rate_are_kept(tmp_path: Path) -> None:
    ticks = [0, 100, 1500, 1600, 9000, 9001, 40_000]
    path = build_video(tmp_path / "clip.mp4", len(ticks), ticks=ticks, time_base=Fraction(1, 90_000))
    with open_video(path) as source:
        times = [frame.time for frame in source]
    assert times == pytest.approx([tick / 90_000 for tick in ticks], abs=1e-9)


def test_times_start_at_0_and_info_keeps_the_source_s_own_start(tmp_path: Path) -> None:
    ticks = [38_400 + 512 * number for number in range(COUNT)]
    path = build_video(tmp_path / "clip.mkv", ticks=ticks)
    with open_video(path) as source:
        times = [frame.time for frame in source]
        assert source.info.start_time == pytest.approx(3.0)
    assert times == pytest.approx([number / 25 for number in range(COUNT)])


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_rotation_flag_is_followed(tmp_path: Path, degrees: int) -> None:
    path = turn_video(build_video(tmp_path / "clip.mp4"), degrees)
    with open_video(path) as source:
        frames = list(source)
        assert (source.info.width, source.info.height) == ((48, 64) if degrees in (90, 270) else (64, 48))
    corner = {0: "top left", 90: "top right", 180: "bottom right", 270: "bottom left"}[degrees]
    assert {red_corner(frame.image) for frame in frames} == {corner}
    assert all(frame.image.flags.c_contiguous for frame in frames)
    assert len(frames) == COUNT


@pytest.mark.parametrize(
    ("codec", "pixel_format", "size"),
    [
        ("ffv1", "yuv444p", (65, 49)),
        ("ffv1", "yuv420p10le", (64, 48)),
        ("ffv1", "gray", (33, 31)),
        ("ffv1", "bgra", (64, 48)),
        ("libx264", "yuv444p", (63, 47)),
    ],
)
def test_odd_sizes_and_other_pixel_formats_become_rgb(
    tmp_path: Path, codec: str, pixel_format: str, size: tuple[int, int]
) -> None:
    width, height = size
    path = build_video(tmp_path / "clip.mkv", codec=codec, pixel_format=pixel_format, width=width, height=height)
    with open_video(path) as source:
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
    for frame in frames:
        assert frame.image.shape == (height, width, 3)
        wanted = 40 + 12 * frame.index
        assert frame.image[-1, -1].tolist() == pytest.approx([wanted] * 3, abs=4)


def test_motion_jpeg_of_odd_size_is_read_to_its_edges(tmp_path: Path) -> None:
    # Coded by OpenCV: the oldest PyAV leaves the odd edge of what it converts as it was in memory.
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 65, 49, "yuvj420p"
        for number in range(COUNT):
            packet = av.Packet(cv2.imencode(".jpg", paint(number, 65, 49)[..., ::-1])[1].tobytes())
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), stream
            container.mux(packet)
    with open_video(tmp_path / "clip.mkv") as source:
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
    for frame in frames:
        assert frame.image.shape == (49, 65, 3)
        assert frame.image[-1, -1].tolist() == pytest.approx([40 + 12 * frame.index] * 3, abs=4)


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize(
    ("matrix", "width", "red", "blue"),
    [(1, 64, 0.2126, 0.0722), (6, 64, 0.299, 0.114), (2, 64, 0.299, 0.114), (2, 1280, 0.2126, 0.0722)],
    ids=["709", "601", "untagged small", "untagged HD"],
)
def test_colours_follow_matrix_and_range(
    tmp_path: Path, matrix: int, width: int, red: float, blue: float, *, full_range: bool
) -> None:
    colour = np.array([200, 60, 30])
    luma = float(np.dot([red, 1 - red - blue, blue], colour))
    chroma = [(colour[2] - luma) / (2 * (1 - blue)), (colour[0] - luma) / (2 * (1 - red))]
    scale, foot, chroma_scale = (1, 0, 1) if full_range else (219 / 255, 16, 224 / 255)
    levels = [round(foot + luma * scale), *(round(128 + value * chroma_scale) for value in chroma)]
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, 48, "yuv444p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full_range else 1
        frame = av.VideoFrame(width, 48, "yuv444p")
        for plane, level in zip(frame.planes, levels, strict=True):
            plane.update(bytes([level]) * plane.buffer_size)
        frame.colorspace, frame.color_range, frame.pts = matrix, 2 if full_range else 1, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_video(path) as source:
        image = next(iter(source)).image
    assert image[20, 20].tolist() == pytest.approx(colour.tolist(), abs=3)


def test_a_change_of_size_on_the_way_is_followed(tmp_path: Path) -> None:
    small = build_video(tmp_path / "small.ts", 5)
    large = build_video(tmp_path / "large.ts", 5, width=96, height=80)
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    with open_video(both) as source:
        frames = list(source)
        assert (source.info.width, source.info.height) == (64, 48)
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 5 + [(80, 96, 3)] * 5
    assert all(before.time < after.time for before, after in pairwise(frames))


def test_a_colon_in_a_file_name_is_no_address(tmp_path: Path) -> None:
    path = build_video(tmp_path / "clip.mp4").rename(tmp_path / "at 10:30.mp4")
    with open_video(path) as source:
        assert len(list(source)) == COUNT


def test_decoders_say_nothing_on_standard_error(tmp_path: Path) -> None:
    path = build_video(tmp_path / "clip.mkv", options={"g": "3"})
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data), 97):
        data[place] ^= 0xFF
    path.write_bytes(data)
    code = "import sys; from heatprop.io import open_video; list(open_video(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# What cannot be read: one line that names it and says what to do


def _empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def _text(path: Path) -> Path:
    path.write_text("Dear diary,\n" * 500)
    return path


def _noise(path: Path) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    return path


def _sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        chunk = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        chunk.sample_rate = 48_000
        container.mux(stream.encode(chunk))
        container.mux(stream.encode(None))
    return path


def _no_data(path: Path) -> Path:
    """All of a video's structure, but no frame in it."""
    data = bytearray(build_video(path).read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (_empty, "clip.mp4", "is empty"),
        (_text, "clip.mp4", "not a video"),
        (_text, "notes.txt", "no video|not a video"),
        (_noise, "clip.mkv", "not a video"),
        (_sound_only, "tone.mp4", "sound but no video"),
        (_no_data, "clip.mp4", "none of its frames can be decoded"),
        (_empty, "shot.jpg", "this image is empty"),
    ],
)
def test_a_file_without_frames_is_an_error_of_one_line(
    tmp_path: Path, make: Callable[[Path], Path], name: str, message: str
) -> None:
    path = make(tmp_path / name)
    with pytest.raises(SourceError, match=message) as caught:
        open_video(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceNotFoundError, match="no such file; check the path"):
        open_video(tmp_path / "clip.mp4")
    with pytest.raises(SourceNotFoundError, match="no such file"):
        open_video(tmp_path / "shot.png")
    with pytest.raises(SourceNotFoundError, match="for a camera write camera:0"):
        open_video("0")
    with pytest.raises(SourceNotFoundError, match="nothing fits this pattern"):
        open_video(f"{tmp_path}/*.jpg")
    with pytest.raises(SourceError, match="no images among 0 files"):
        open_video(tmp_path / "empty")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = build_video(tmp_path / "clip.mp4")
    path.chmod(0)
    with pytest.raises(SourceError, match="permission denied"):
        open_video(path)


@pytest.mark.parametrize("name", ["s" * 300 + ".mp4", "s" * 300 + ".png", "s" * 300 + "/*.png", "s" * 300 + "*"])
def test_a_name_that_is_too_long_is_an_error_of_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_video(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("reconnect", "is_noted"), [(None, False), (0, False), (30, True)])
def test_a_file_on_the_network_says_that_it_is_not_opened_again(
    tmp_path: Path, serve: Callable[[Path], str], reconnect: float | None, is_noted: bool
) -> None:
    build_video(tmp_path / "clip.mp4")
    with open_video(f"{serve(tmp_path)}/clip.mp4", reconnect=reconnect) as video:
        assert len(list(video)) > 0
        said = ["30 s to reconnect were given, and only live streams are opened again"]
        assert list(video.notes) == (said if is_noted else [])


def test_passwords_are_not_shown(tmp_path: Path, serve: Callable[[Path], str]) -> None:
    build_video(tmp_path / "clip.mp4", audio="aac")
    _text(tmp_path / "page.html")
    address = serve(tmp_path).replace("http://", "http://bob:s3cret@")
    for name in ("missing.mp4", "page.html"):
        with pytest.raises(SourceError) as caught:
            open_video(f"{address}/{name}")
        assert "s3cret" not in str(caught.value)
        assert "http://***@" in str(caught.value)
    with open_video(f"{address}/clip.mp4") as source:
        assert "s3cret" not in repr(source.info)
        assert len(list(source)) == len(list(source)) == COUNT
        with VideoSink(tmp_path / "without.mp4", source.info) as sink:
            sink.write(paint(0), 0.0)
        assert sink.audio_note is not None
        assert "audio_from" in sink.audio_note
        with VideoSink(tmp_path / "with.mp4", source.info, audio_from=f"{address}/clip.mp4") as sink:
            sink.write(paint(0), 0.0)
        assert sink.audio_note is None


def test_addresses_that_do_not_answer_are_errors(tmp_path: Path, serve: Callable[[Path], str]) -> None:
    address = serve(_text(tmp_path / "page.html").parent)
    with pytest.raises(SourceNotFoundError, match="nothing found there"):
        open_video(f"{address}/clip.mp4")
    with pytest.raises(SourceError, match="not a video"):
        open_video(f"{address}/page.html")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for scheme in ("http", "rtsp", "rtmp"):
        with pytest.raises(SourceError, match="check the address and the network") as caught:
            open_video(f"{scheme}://127.0.0.1:{port}/clip.mp4")
        assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="nosuch://"):
        open_video("nosuch://host/clip.mp4")


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_server_that_says_nothing_is_an_error_in_time(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/clip.mp4"
        with pytest.raises(SourceError, match=r"no data for 0\.2 s"):
            ContainerSource(address, is_remote=True, timeout=0.2)


def test_a_server_that_stops_in_the_middle_is_an_error_in_time(tmp_path: Path) -> None:
    data = build_video(tmp_path / "clip.ts", 200).read_bytes()

    def answer(listener: socket.socket, done: threading.Event) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + data[: len(data) // 2])
            done.wait(60)

    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer, args=(listener, done))
        server.start()
        try:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}/clip.ts"
            with ContainerSource(address, is_remote=True, timeout=1.0) as source:
                frames = []
                with pytest.raises(SourceError, match="no data for 1 s"):
                    for frame in source:
                        frames.append(frame)
                assert 0 < len(frames) < 200
        finally:
            done.set()
            server.join()


def test_a_file_that_cannot_be_read_on_is_an_error(tmp_path: Path) -> None:
    path = build_video(tmp_path / "clip.mp4", options={"bf": "0"})

    def fail() -> Iterator[av.Packet]:
        raise av.error.OSError(errno.EIO, "Input/output error")
        yield

    with open_video(path) as source:
        reader = source._reader._packets
        reader._packets = chain(islice(reader._packets, 3), fail())
        frames = iter(source)
        with pytest.raises(SourceError, match=r"clip\.mp4: cannot read it \(Input/output error\); check the file"):
            list(frames)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
def test_closing_does_not_wait_for_a_pipe_that_stalls(tmp_path: Path) -> None:
    data = build_video(tmp_path / "clip.ts", 2000).read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    stall = threading.Event()

    def feed() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            stall.wait(60)

    ends = []

    def read(source: VideoSource) -> None:
        try:
            list(source)
        except SourceError as error:
            ends.append(str(error))

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    source = open_video(pipe)
    reader = threading.Thread(target=read, args=(source,), daemon=True)
    reader.start()
    reader.join(1.0)
    assert reader.is_alive()
    closer = threading.Thread(target=source.close, daemon=True)
    closer.start()
    closer.join(5.0)
    was_closed = not closer.is_alive()
    stall.set()
    for thread in (feeder, reader, closer):
        thread.join(10.0)
    assert was_closed
    assert "is closed" in ends[0]


# Images


def test_images_of_any_size_depth_and_kind_become_rgb(tmp_path: Path) -> None:
    colour = paint(3)[..., ::-1]
    images = {
        "1.JPG": colour,
        "2.png": colour.astype(np.uint16) * 257,
        "3.png": colour[..., 0],
        "4.png": np.dstack([colour, np.full(colour.shape[:2], 9, np.uint8)]),
        "5.webp": cv2.resize(colour, (100, 90)),
        "6.tif": colour,
        "7.bmp": colour,
        "10.jpeg": colour,
    }
    for name, image in images.items():
        assert cv2.imwrite(str(tmp_path / name), image)
    with open_video(tmp_path) as source:
        frames = list(source)
        assert source.info.frame_count == len(images)
    assert [frame.image.shape[:2] for frame in frames] == [
        images[name].shape[:2] for name in sorted(images, key=lambda name: int(name.split(".")[0]))
    ]
    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert number_of(frame.image) == 3
    assert frames[1].image[2, 2].tolist() == [220, 20, 20]


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["a/shot2.png", "a/shot10.png", "b/1.png", "shot.png"]
    assert [str(path) for path in sorted(map(Path, reversed(names)), key=natural_order)] == names


@pytest.mark.parametrize(
    ("tag", "corner"), [(1, "top left"), (3, "bottom right"), (6, "top right"), (8, "bottom left")]
)
def test_the_orientation_of_a_photograph_is_followed(tmp_path: Path, tag: int, corner: str) -> None:
    done, data = cv2.imencode(".jpg", paint(2)[..., ::-1])
    assert done
    tiff = b"MM\0*\0\0\0\x08\0\x01" + b"\x01\x12\0\x03\0\0\0\x01" + bytes([0, tag, 0, 0]) + b"\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    photograph = data.tobytes()[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data.tobytes()[2:]
    (tmp_path / "photo.jpg").write_bytes(photograph)
    with open_video(tmp_path / "photo.jpg") as source:
        frames = list(source)
        assert (source.info.width, source.info.height) == ((48, 64) if tag in (6, 8) else (64, 48))
    assert [red_corner(frame.image) for frame in frames] == [corner]


# Cameras


def test_a_camera_that_is_not_there_is_an_error_of_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    for name in (97, "camera:97", "/dev/video97"):
        with pytest.raises(SourceError, match="camera"):
            open_video(name)
    assert capfd.readouterr().err == ""
