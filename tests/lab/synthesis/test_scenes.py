from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.lab.datasets.imagenet_classes import VID_CLASSES
from heatprop.lab.synthesis import trajectories
from heatprop.lab.synthesis.scenes import BACKGROUND_LABEL, Shot, make_video
from heatprop.lab.synthesis.settings import CAUSES, Causes, Dial, SceneSettings, parse_dials
from heatprop.lab.synthesis.split_report import PAPER_UNCOVERED
from heatprop.lab.synthesis.sprites import DRAWINGS, load_sprites
from heatprop.lab.synthesis.truth import TrueObject, annotate

VIDEOS, FRAMES = 160, 40
SETTINGS = SceneSettings()
NO_CAUSES = Causes(**dict.fromkeys(CAUSES, Dial(0.0, 0.0)))


@pytest.fixture(scope="module")
def videos() -> list[list[Shot]]:
    return [make_video([3, number], FRAMES, load_sprites(("noto",)), SETTINGS) for number in range(VIDEOS)]


@pytest.fixture(scope="module")
def truth(videos: list[list[Shot]]) -> list[list[list[TrueObject]]]:
    return [annotate(shots, SETTINGS) for shots in videos]


def test_speeds_are_about_those_of_imagenet_vid(truth: list[list[list[TrueObject]]]) -> None:
    moved = []
    for frames in truth:
        before: dict[int, np.ndarray] = {}
        for objects in frames:
            places = {each.track: np.array(each.box).reshape(2, 2).mean(axis=0) for each in objects}
            moved += [np.abs(place - before[track]).max() for track, place in places.items() if track in before]
            before = places
    cells = np.array(moved) / SETTINGS.cell

    for radius in (1, 2, 3):
        assert 0.5 < (cells > radius).mean() / PAPER_UNCOVERED[radius] < 1.7
    assert 0 < (cells > 5).mean() < 2 * PAPER_UNCOVERED[5]


@pytest.mark.parametrize("name", ["motion_blur", "defocus", "noise", "darkness", "compression", "pan", "shake"])
def test_a_cause_strikes_about_as_often_as_its_dial_says(videos: list[list[Shot]], name: str) -> None:
    share = np.mean(np.concatenate([shot.causes[name] for shots in videos for shot in shots]))

    assert share == pytest.approx(getattr(SETTINGS.causes, name).share, rel=0.4)


def test_every_cause_strikes_somewhere(videos: list[list[Shot]]) -> None:
    for name in CAUSES:
        assert any(shot.causes[name].any() for shots in videos for shot in shots), name


@pytest.mark.parametrize("name", CAUSES)
def test_a_dial_at_nought_switches_its_cause_off(name: str) -> None:
    causes = replace(Causes(), **{name: Dial(0.0, getattr(Causes(), name).strength)})
    settings = replace(SETTINGS, causes=causes)

    for number in range(12):
        for shot in make_video([4, number], 20, load_sprites(("noto",)), settings):
            assert not shot.causes[name].any()


def test_without_causes_the_camera_stands_and_nothing_is_spoilt() -> None:
    for number in range(20):
        (shot,) = make_video([5, number], 20, load_sprites(("noto",)), replace(SETTINGS, causes=NO_CAUSES))

        assert not shot.camera_moved.any()
        assert not any(severity.any() for severity in shot.severities.values())
        assert shot.exposure.max() <= 0.25
        assert all(item.label != BACKGROUND_LABEL for item in shot.items)


def test_a_video_has_all_its_frames_whatever_its_cuts() -> None:
    settings = replace(SETTINGS, causes=replace(Causes(), cuts=Dial(1.0, 4)))
    counts = set()
    for number in range(30):
        shots = make_video([6, number], 37, load_sprites(("noto",)), settings)
        assert sum(shot.frames for shot in shots) == 37
        assert min(shot.frames for shot in shots) >= 1
        counts.add(len(shots))
        assert not shots[0].causes["cuts"].any()
        assert all(shot.causes["cuts"][0] for shot in shots[1:])
    assert counts == {2, 3, 4}


def test_a_crowd_is_of_one_class() -> None:
    settings = replace(SETTINGS, causes=replace(Causes(), crowd=Dial(1.0, 9)))
    for number in range(20):
        for shot in make_video([7, number], 4, load_sprites(("noto",)), settings):
            labels = [item.label for item in shot.items if item.label != BACKGROUND_LABEL]
            assert 4 <= len(labels) <= 9
            assert len(set(labels)) == 1


def test_every_class_is_drawn_about_as_often() -> None:
    sprites = load_sprites(("twemoji",))
    labels = [
        item.label
        for number in range(1500)
        for shot in make_video([8, number], 1, sprites, replace(SETTINGS, causes=NO_CAUSES))
        for item in shot.items
    ]
    counts = np.bincount(labels, minlength=len(VID_CLASSES))

    assert counts.min() > 0.5 * counts.mean()
    assert counts.max() < 1.6 * counts.mean()


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_objects_look_like_the_drawing_that_was_asked_for(drawing: str) -> None:
    allowed = {id(sprite.pixels): sprite.label for sprite in load_sprites((drawing,))}

    for number in range(10):
        for shot in make_video([9, number], 2, load_sprites((drawing,)), SETTINGS):
            for item in shot.items:
                if item.label != BACKGROUND_LABEL:
                    assert allowed[id(item.pixels)] == item.label


@given(st.integers(0, 2**32), st.integers(1, 60), st.floats(0, 1), st.floats(1, 20))
def test_episodes_are_severities(seed: int, frames: int, share: float, mean_length: float) -> None:
    severity = trajectories.episodes(np.random.default_rng(seed), frames, share, mean_length)

    assert severity.shape == (frames,)
    assert ((severity == 0) | ((severity > 0.17) & (severity <= 1))).all()
    assert share > 0 or not severity.any()


@given(st.integers(0, 2**32), st.integers(1, 50), st.floats(0, 20))
def test_what_wanders_is_drawn_back(seed: int, frames: int, speed: float) -> None:
    bounds = (-10.0, -10.0, 10.0, 10.0)
    rng = np.random.default_rng(seed)
    places = trajectories.wander(rng, frames, start=(0.0, 0.0), speed=speed, bounds=bounds, turns=(3,), faster=2.0)

    assert places.shape == (frames, 2)
    assert np.isfinite(places).all()
    assert places[0].tolist() == [0, 0]


def test_a_trip_leads_away_and_home_again_without_jumps() -> None:
    for seed in range(50):
        trip = trajectories.excursion(np.random.default_rng(seed), 200, np.array([100.0, 0.0]), 40)
        away = np.flatnonzero(trip[:, 0])
        assert len(away) <= 40
        assert (np.diff(away) == 1).all()
        assert 0 <= trip[:, 0].min() <= trip[:, 0].max() <= 100
        assert np.abs(np.diff(trip[:, 0])).max() <= 100 * np.pi / 20


def test_dials_are_read() -> None:
    causes = parse_dials(["noise=0.5", "crowd=1:5"])

    assert (causes.noise, causes.crowd) == (Dial(0.5, Causes().noise.strength), Dial(1.0, 5.0))
    assert causes.pan == Causes().pan


@pytest.mark.parametrize(
    "word", ["fog=1", "noise", "noise=", "noise=x", "noise=0.5:", "noise=2", "noise=nan", "=1"]
)
def test_wrong_dials_are_named(word: str) -> None:
    with pytest.raises(ValueError, match=r"--dial '.*'") as caught:
        parse_dials([word])

    assert "\n" not in str(caught.value)
