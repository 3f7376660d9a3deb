from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heatprop.lab.synthesis.scenes import BACKGROUND_LABEL, Item, Shot, make_video
from heatprop.lab.synthesis.settings import Causes, Dial, SceneSettings
from heatprop.lab.synthesis.sprites import load_sprites
from heatprop.lab.synthesis.truth import annotate
from reference.painted import covered_pixels

WIDTH, HEIGHT = 96, 72
SETTINGS = SceneSettings(width=WIDTH, height=HEIGHT)


def square(label: int, x: float, y: float, side: int, frames: int = 1) -> Item:
    """A filled square whose upper left pixel is (x, y)."""
    affine = np.tile(np.array([[1.0, 0.0, x], [0.0, 1.0, y]]), (frames, 1, 1))
    return Item(np.full((side, side, 4), 255, np.uint8), label, affine, np.zeros((frames, 2)), (1.0, 1.0, 1.0))


def shot_of(*items: Item) -> Shot:
    frames = len(items[0].affine)
    nothing = np.zeros(frames)
    return Shot(
        frames=frames,
        items=items,
        camera=np.tile(np.eye(2, 3), (frames, 1, 1)),
        camera_moved=np.zeros((frames, 2)),
        exposure=nothing,
        severities={},
        causes={},
        background_seed=0,
        clutter=0,
    )


def test_a_box_holds_the_first_and_the_last_pixel_of_its_object() -> None:
    ((found,),) = annotate([shot_of(square(3, 10, 20, 8))], SETTINGS)

    assert found.box == (10, 20, 17, 27)
    assert (found.label, found.track, found.occluded) == (3, 0, False)


def test_what_lies_outside_the_image_does_not_belong_to_the_box() -> None:
    ((found,),) = annotate([shot_of(square(3, WIDTH - 6, -3, 10))], SETTINGS)

    assert found.box == (WIDTH - 6, 0, WIDTH - 1, 6)


def test_what_is_covered_does() -> None:
    (objects,) = annotate([shot_of(square(3, 10, 10, 20), square(5, 10, 20, 20))], SETTINGS)

    assert [each.box for each in objects] == [(10, 10, 29, 29), (10, 20, 29, 39)]
    assert [each.occluded for each in objects] == [True, False]


def test_things_of_the_foreground_cover_and_are_no_objects() -> None:
    (objects,) = annotate([shot_of(square(3, 10, 10, 20), square(BACKGROUND_LABEL, 10, 18, 20))], SETTINGS)

    assert [(each.label, each.occluded) for each in objects] == [(3, True)]


@pytest.mark.parametrize(("hidden_rows", "is_annotated"), [(0, True), (16, True), (18, False), (20, False)])
def test_an_object_of_which_nearly_nothing_is_seen_is_not_annotated(hidden_rows: int, is_annotated: bool) -> None:
    screen = square(BACKGROUND_LABEL, 0, 10 + hidden_rows - 60, 60)

    (objects,) = annotate([shot_of(square(3, 10, 10, 20), screen)], SETTINGS)

    assert len(objects) == is_annotated


def test_tracks_go_on_counting_after_a_cut() -> None:
    first, second = shot_of(square(3, 10, 10, 20), square(4, 50, 10, 20)), shot_of(square(5, 10, 10, 20))

    frames = annotate([first, second], SETTINGS)

    assert [[each.track for each in frame] for frame in frames] == [[0, 1], [2]]


def test_boxes_of_turned_and_mirrored_sprites_are_those_of_their_pixels() -> None:
    calm = Causes(**{name: Dial(0.0, 0.0) for name in ("crowd", "occlusion", "cuts")})
    settings = replace(SETTINGS, causes=calm)
    compared = 0
    for number in range(12):
        shots = make_video([7, number], 2, load_sprites(("noto",)), settings)
        items = [item for item in shots[0].items if item.label != BACKGROUND_LABEL]
        for found in annotate(shots, settings)[1]:
            rows, columns = np.nonzero(covered_pixels(items[found.track], 1, WIDTH, HEIGHT))
            painted = [columns.min(), rows.min(), columns.max(), rows.max()]
            assert np.abs(np.array(found.box) - painted).max() <= 1
            compared += 1
    assert compared >= 12


def test_occlusion_is_the_share_of_covered_pixels() -> None:
    compared = 0
    settings = replace(SETTINGS, causes=Causes(crowd=Dial(1.0, 9)))
    for number in range(6):
        shots = make_video([8, number], 1, load_sprites(("twemoji",)), settings)
        items = shots[0].items
        masks = [covered_pixels(item, 0, WIDTH, HEIGHT) for item in items]
        objects = [place for place, item in enumerate(items) if item.label != BACKGROUND_LABEL]
        for found in annotate(shots, settings)[0]:
            place = objects[found.track]
            nearer = np.logical_or.reduce([np.zeros((HEIGHT, WIDTH), np.bool_), *masks[place + 1 :]])
            seen = 1 - (masks[place] & nearer).sum() / masks[place].sum()
            if abs(seen - 0.7) > 0.1:  # what 96 points of it cannot tell apart
                assert found.occluded == (seen < 0.7)
                compared += 1
    assert compared >= 15
