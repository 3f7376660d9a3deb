from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from heatprop.lab.synthesis.rendering import ShotRenderer, encode
from heatprop.lab.synthesis.scenes import BACKGROUND_LABEL, Item, Shot, make_video
from heatprop.lab.synthesis.settings import CAUSES, Causes, Dial, SceneSettings
from heatprop.lab.synthesis.sprites import load_sprites
from heatprop.lab.synthesis.truth import annotate
from heatprop.types import ImageArray

NO_CAUSES = Causes(**dict.fromkeys(CAUSES, Dial(0.0, 0.0)))
SETTINGS = SceneSettings(width=160, height=120, causes=NO_CAUSES)
SPRITES = load_sprites(("noto",))


def shot_with(settings: SceneSettings, seed: int = 0) -> Shot:
    (shot,) = make_video([1, seed], 2, SPRITES, settings)
    return shot


def drawn(shot: Shot, settings: SceneSettings, frame: int = 0) -> ImageArray:
    return ShotRenderer(shot, settings, SPRITES).render(frame)[0]


def test_a_frame_is_the_same_whichever_was_drawn_before() -> None:
    renderer = ShotRenderer(shot_with(SETTINGS), SETTINGS, SPRITES)
    first, second = renderer.render(0)[0], renderer.render(1)[0]

    np.testing.assert_array_equal(renderer.render(0)[0], first)
    np.testing.assert_array_equal(drawn(shot_with(SETTINGS), SETTINGS, 1), second)


def test_objects_change_the_image_within_their_boxes_only() -> None:
    compared = 0
    for seed in range(10):
        shot = shot_with(SETTINGS, seed)
        empty = replace(shot, items=())
        difference = np.abs(drawn(shot, SETTINGS).astype(int) - drawn(empty, SETTINGS)).max(axis=2)
        inside = np.zeros((120, 160), np.bool_)
        for found in annotate([shot], SETTINGS)[0]:
            x1, y1, x2, y2 = found.box
            inside[max(0, y1 - 2) : y2 + 3, max(0, x1 - 2) : x2 + 3] = True
            assert difference[y1 : y2 + 1, x1 : x2 + 1].max() > 25
            compared += 1
        assert difference[~inside].max(initial=0) <= 25
    assert compared >= 10


def test_the_nearest_item_is_on_top() -> None:
    def filled(value: int) -> Item:
        pixels = np.full((40, 40, 4), 255, np.uint8)
        pixels[..., :3] = value
        return Item(pixels, 0, np.tile([[1.0, 0, 50], [0, 1.0, 40]], (2, 1, 1)), np.zeros((2, 2)), (1.0, 1.0, 1.0))

    shot = replace(shot_with(SETTINGS), items=(filled(250), filled(10)))

    assert drawn(shot, SETTINGS)[50:70, 60:80].mean() < 30


def test_motion_blur_smears_along_the_path_around_the_place_of_the_box() -> None:
    pixels = np.full((20, 20, 4), 255, np.uint8)
    still = Item(pixels, 0, np.tile([[1.0, 0, 70], [0, 1.0, 50]], (2, 1, 1)), np.zeros((2, 2)), (1.0, 1.0, 1.0))
    moving = replace(still, moved=np.tile([16.0, 0.0], (2, 1)))
    dark = replace(shot_with(SETTINGS), items=(), exposure=np.ones(2), camera_moved=np.zeros((2, 2)))

    def light(item: Item) -> np.ndarray:
        gained = drawn(replace(dark, items=(item,)), SETTINGS).astype(int) - drawn(dark, SETTINGS)
        return gained.sum(axis=2)

    sharp, smeared = light(still), light(moving)
    columns = np.arange(160)
    middle = [(image.sum(axis=0) * columns).sum() / image.sum() for image in (sharp, smeared)]
    assert middle[1] == pytest.approx(middle[0], abs=1.0)
    assert np.abs(smeared[55]).astype(bool).sum() >= np.abs(sharp[55] > 60).sum() + 12
    assert (smeared[:46] <= 30).all()


@pytest.mark.parametrize(("name", "strength"), [("darkness", 0.8), ("defocus", 1.0), ("noise", 40.0)])
def test_troubles_do_to_the_image_what_they_say(name: str, strength: float) -> None:
    settings = replace(SETTINGS, causes=replace(NO_CAUSES, **{name: Dial(1.0, strength)}))
    shot = replace(shot_with(SETTINGS, 3), clutter=12)
    struck = replace(shot, severities=dict(shot.severities) | {name: np.ones(2)})
    before, after = drawn(shot, settings).astype(float), drawn(struck, settings).astype(float)

    def roughness(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image, axis=1)).mean())

    if name == "darkness":
        assert after.mean() == pytest.approx(0.2 * before.mean(), rel=0.1)
    elif name == "defocus":
        assert roughness(after) < 0.8 * roughness(before)
    else:
        assert 25 < (after - before).std() < 41


def test_compression_lowers_the_quality_of_the_file() -> None:
    settings = replace(SETTINGS, causes=replace(NO_CAUSES, compression=Dial(1.0, 70.0)))
    shot = shot_with(SETTINGS)
    struck = replace(shot, severities=dict(shot.severities) | {"compression": np.array([1.0, 0.5])})
    renderer = ShotRenderer(struck, settings, SPRITES)

    qualities = [renderer.render(frame)[1] for frame in (0, 1)]
    assert qualities == [18, 53]
    files = [encode(renderer.render(0)[0], quality) for quality in (18, 88)]
    assert len(files[0]) < len(files[1]) / 2


def test_a_file_shows_the_image_in_its_colours() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 0] = 200

    decoded = cv2.imdecode(np.frombuffer(encode(image, 95), np.uint8), cv2.IMREAD_COLOR)

    assert decoded is not None
    assert np.abs(decoded.astype(int) - [0, 0, 200]).max() <= 3


def test_everything_of_a_hard_video_can_be_drawn() -> None:
    causes = Causes(**{name: replace(getattr(Causes(), name), share=1.0) for name in CAUSES})
    settings = replace(SETTINGS, causes=causes)
    for shot in make_video([2, 0], 24, SPRITES, settings):
        renderer = ShotRenderer(shot, settings, SPRITES)
        assert any(item.label == BACKGROUND_LABEL for item in shot.items)
        for frame in range(shot.frames):
            image, quality = renderer.render(frame)
            assert image.shape == (120, 160, 3)
            assert 1 <= quality <= 100
