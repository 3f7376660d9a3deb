"""Whatever colours a video is in, its frames come in BT.709, and look as the same scene does there."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.io import VideoSink, open_video
from heatprop.io.colour import ColourFilter, ColourSpace, compress, hlg_scene, pq_light, primaries_to_bt709

PQ, HLG, BT709_TRANSFER = 16, 18, 1
BT2020, P3, BT709 = 9, 12, 1
WIDTH, HEIGHT = 160, 96


def scene() -> np.ndarray:
    """Linear light of BT.709, 1 for white: ramps of grey and of colours."""
    ramp = np.linspace(0, 1, WIDTH) ** 2.2
    colours = [(1, 1, 1), (1, 0.2, 0.1), (0.2, 0.9, 0.3), (0.1, 0.3, 1), (0.9, 0.8, 0.2), (0.6, 0.4, 0.3)]
    bands = np.stack([ramp[:, None] * np.array(colour) for colour in colours])
    return np.repeat(bands, HEIGHT // len(colours), axis=0)


def pq_signal(light: np.ndarray) -> np.ndarray:
    """Undo `pq_light`: cd/m² to 0 to 1."""
    share = (light / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * share) / (1 + 18.6875 * share)) ** 78.84375


def hlg_signal(light: np.ndarray) -> np.ndarray:
    """Undo `hlg_scene`."""
    bright = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
    return np.where(light <= 1 / 12, np.sqrt(3 * light), bright)


def write_colours(path: Path, signal: np.ndarray, transfer: int, primaries: int, bits: int = 10) -> Path:
    """Write R'G'B' from 0 to 1 losslessly as Y'CbCr with the matrix of BT.2020 or BT.709, so tagged."""
    red, _, blue = np.moveaxis(signal, -1, 0)
    weights = (0.2627, 0.678, 0.0593) if primaries == BT2020 else (0.2126, 0.7152, 0.0722)
    luma = signal @ np.array(weights)
    scale = 1 << (bits - 8)
    planes = [
        luma * 219 * scale + 16 * scale,
        (blue - luma) / (2 - 2 * weights[2]) * 224 * scale + 128 * scale,
        (red - luma) / (2 - 2 * weights[0]) * 224 * scale + 128 * scale,
    ]
    kind, pixel_format = (np.uint16, "yuv444p10le") if bits == 10 else (np.uint8, "yuv444p")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
        context = stream.codec_context
        context.colorspace = 9 if primaries == BT2020 else 1
        context.color_primaries, context.color_trc, context.color_range = primaries, transfer, 1
        for number in range(3):
            frame = av.VideoFrame(WIDTH, HEIGHT, pixel_format)
            for plane, values in zip(frame.planes, planes, strict=True):
                rows = np.zeros((HEIGHT, plane.line_size // np.dtype(kind).itemsize), kind)
                rows[:, :WIDTH] = np.round(values)
                plane.update(rows.tobytes())
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_high_range(path: Path, transfer: int, brighter: float = 1.0) -> Path:
    light = np.maximum(scene() * brighter @ np.linalg.inv(primaries_to_bt709(BT2020)).T, 0)
    # HLG holds what is before the camera; displays add the contrast.
    signal = pq_signal(light * 203) if transfer == PQ else hlg_signal(light ** (1 / 1.2) * 0.2646)
    return write_colours(path, np.clip(signal, 0, 1), transfer, BT2020)


def first_image(path: Path) -> np.ndarray:
    with open_video(path) as video:
        return next(iter(video)).image.astype(float)


@pytest.mark.parametrize(("transfer", "name"), [(PQ, "BT.2020 PQ"), (HLG, "BT.2020 HLG")])
def test_high_dynamic_range_looks_as_the_scene_in_bt709(transfer: int, name: str, tmp_path: Path) -> None:
    plain = first_image(write_colours(tmp_path / "sdr.mkv", scene() ** (1 / 2.2), BT709_TRANSFER, BT709, 8))
    path = write_high_range(tmp_path / "hdr.mkv", transfer)
    with open_video(path) as video:
        image = next(iter(video)).image.astype(float)
        assert video.info.colour == name
        assert video.info.to_json()["colour"] == name
        assert [name in note for note in video.notes] == [True]
    assert abs(image.mean() - plain.mean()) < 12
    assert 0.85 < image.std() / plain.std() < 1.1
    # All below the knee is where it was in BT.709.
    dark = plain.max(axis=-1) < 0.75 * 255
    assert np.abs(image - plain)[dark].mean() < 3


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_what_is_brighter_than_white_is_still_told_apart(transfer: int, tmp_path: Path) -> None:
    image = first_image(write_high_range(tmp_path / "hdr.mkv", transfer, brighter=3.5))
    greys = image[HEIGHT // 12, :, 0]
    assert np.diff(greys).min() >= 0
    assert len(np.unique(greys[greys > 230])) > 8


def test_wide_colours_of_usual_range_are_converted(tmp_path: Path) -> None:
    plain = first_image(write_colours(tmp_path / "sdr.mkv", scene() ** (1 / 2.2), BT709_TRANSFER, BT709, 8))
    for primaries, name in ((P3, "Display P3"), (BT2020, "BT.2020")):
        light = np.maximum(scene() @ np.linalg.inv(primaries_to_bt709(primaries)).T, 0)
        path = write_colours(tmp_path / f"{name}.mkv", light ** (1 / 2.2), BT709_TRANSFER, primaries)
        with open_video(path) as video:
            image = next(iter(video)).image.astype(float)
            assert video.info.colour == name
        assert np.abs(image - plain).max() < 12
        assert np.abs(image - plain).mean() < 1.5


@pytest.mark.parametrize(("transfer", "primaries"), [(BT709_TRANSFER, BT709), (2, 2), (6, 6), (13, 1)])
def test_ten_bits_of_usual_range_are_left_as_they_are(transfer: int, primaries: int, tmp_path: Path) -> None:
    signal = scene() ** (1 / 2.2)
    path = write_colours(tmp_path / "ten.mkv", signal, transfer, primaries)
    with open_video(path) as video:
        image = next(iter(video)).image.astype(float)
        assert video.info.colour is None
        assert video.notes == []
    assert np.abs(image - signal * 255).max() < 4


def test_what_was_converted_is_written_as_bt709(tmp_path: Path) -> None:
    source, target = write_high_range(tmp_path / "hdr.mkv", PQ), tmp_path / "out.mp4"
    with open_video(source) as video, VideoSink(target, video.info, crf=0) as sink:
        images = []
        for frame in video:
            sink.write(frame.image, frame.time)
            images.append(frame.image.astype(float))
    with av.open(str(target)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
    grey = slice(0, HEIGHT // 6 - 2)
    assert np.abs(first_image(target) - images[0])[grey].mean() < 2


@pytest.mark.parametrize("colours", [ColourSpace(PQ, BT2020), ColourSpace(HLG, BT2020), ColourSpace(1, P3)])
def test_the_filter_gives_what_the_formula_does(colours: ColourSpace) -> None:
    signal = np.random.default_rng(3).random((48, 64, 3))
    frame = av.VideoFrame.from_ndarray(np.round(signal * 65_535).astype(np.uint16), format="rgb48le")
    converted = ColourFilter(colours, 64, 48).convert(frame).to_ndarray() / 65_535
    error = np.abs(converted - colours.to_bt709(signal))
    assert error.mean() < 0.005
    assert np.quantile(error, 0.99) < 0.06


@given(st.floats(0, 1), st.sampled_from([ColourSpace(PQ, BT2020), ColourSpace(HLG, 2), ColourSpace(2, P3)]))
def test_grey_stays_grey_and_brighter_stays_brighter(level: float, colours: ColourSpace) -> None:
    low, high = colours.to_bt709(np.array([[level] * 3, [min(level + 0.01, 1.0)] * 3]))
    assert low == pytest.approx([low[0]] * 3, abs=2e-3)
    assert (high >= low - 1e-9).all()


@given(st.floats(0, 1))
def test_the_curves_are_undone_by_their_inverses(signal: float) -> None:
    value = np.array([signal])
    assert pq_signal(pq_light(value)) == pytest.approx(value, abs=1e-6)
    assert hlg_signal(hlg_scene(value)) == pytest.approx(value, abs=1e-6)


def test_levels_are_compressed_without_a_step() -> None:
    levels = np.linspace(0, 5, 10_001)
    shown = compress(levels)
    assert np.abs(np.diff(shown)).max() < 6e-4
    assert (np.diff(shown) >= 0).all()
    assert shown.max() <= 1


@pytest.mark.parametrize("primaries", [BT2020, P3, 11])
def test_white_stays_white_in_any_primaries(primaries: int) -> None:
    assert primaries_to_bt709(primaries) @ np.ones(3) == pytest.approx([1, 1, 1], abs=1e-3)
