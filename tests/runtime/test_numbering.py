"""Objects are numbered as they are shown, from 0, whatever ids propagation gave to what nobody saw."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.letterbox import InputFormat
from heatprop.propagation import IdentityConfig, PropagationConfig
from heatprop.runtime.numbering import Numbering
from heatprop.runtime.postprocessing import Postprocessing
from heatprop.runtime.preprocessing import Preprocessing, Seen
from heatprop.types import Detections


def shown(ids):
    count = len(ids)
    return Detections(np.zeros((count, 4)), np.ones(count), np.zeros(count), track_ids=ids)


@given(st.lists(st.lists(st.integers(-1, 30), max_size=6), max_size=12))
def test_numbers_are_those_of_a_dictionary(frames):
    numbering, known = Numbering(), {}
    for frame in frames:
        ids = [each for place, each in enumerate(frame) if each < 0 or each not in frame[:place]]
        found, numbering = numbering.numbered(shown(ids))
        wanted = [-1 if each < 0 else known.setdefault(each, len(known)) for each in ids]
        assert found.track_ids.tolist() == wanted
        assert numbering.next_number == len(known)


def test_what_never_comes_again_is_forgotten_in_time():
    numbering = Numbering()
    for first in range(0, 20_000, 10):
        ids = np.arange(first, first + 10)
        _, numbering = numbering.numbered(shown(ids))
        numbering = numbering.kept(ids)
        assert len(numbering.ids) <= 130
    found, _ = numbering.numbered(shown([19_999, 20_000]))
    assert found.track_ids.tolist() == [19_999, 20_000]


FORMAT = InputFormat(128)
FORGETFUL = PropagationConfig(alpha=0.0, identity=IdentityConfig(memory=5))


def picture(seed=0):
    return np.kron(np.random.default_rng(seed).integers(0, 255, (6, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)


def boxes(*places, score=0.9):
    return Detections([(x, 20, x + 20, 60) for x in places], [score] * len(places), [0] * len(places))


@pytest.mark.parametrize(
    ("image", "starts_anew", "wanted"),
    [(picture(), False, [0]), (picture(), True, [0]), (picture(1), False, [1]), (picture(1), True, [1])],
    ids=["goes on", "found again", "cut", "found again elsewhere"],
)
def test_ids_are_kept_where_a_stream_was_lost_and_found_again_but_not_over_a_cut(image, starts_anew, wanted):
    preparing = Preprocessing(FORMAT, clock=None, forget_at_cuts=True)
    postprocessing = Postprocessing(FORGETFUL, 0.3, 1, nms_iou=0.5)
    state, seen, found = postprocessing.begin(), Seen(), []
    for number, frame in enumerate([picture(), picture(), image]):
        prepared, seen = preparing.prepare(frame, seen, starts_anew=starts_anew and number == 2)
        state, finished = postprocessing.step(state, prepared, boxes(40))
        found += finished
    assert [each.track_ids.tolist() for each in found] == [[0], [0], wanted]
    assert found[-1].lengths.tolist() == [1 if starts_anew or wanted == [1] else 3]


def test_what_is_too_weak_to_be_shown_takes_no_number():
    preparing = Preprocessing(FORMAT, clock=None, forget_at_cuts=True)
    postprocessing = Postprocessing(PropagationConfig.adaptive(), 0.3, 1, nms_iou=0.5)
    state, seen = postprocessing.begin(), Seen()
    numbers = []
    for number in range(6):
        prepared, seen = preparing.prepare(picture(), seen)
        weak, strong = boxes(10 + 15 * number, score=0.1), boxes(*([80] if number > 3 else []))
        both = Detections(
            np.concatenate([weak.boxes, strong.boxes]), [*weak.scores, *strong.scores], [1] + [0] * len(strong)
        )
        state, (found,) = postprocessing.step(state, prepared, both)
        numbers.append(found.track_ids.tolist())
    assert numbers == [[], [], [], [], [0], [0]]
