import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heatprop.boxes import areas, iou, nms, pair_off
from reference import boxes as slow

# Halves on a small range: overlaps, equal boxes, empty and crossed ones are all frequent.
coordinates = st.integers(-4, 12).map(lambda n: n / 2)
box_arrays = st.integers(0, 12).flatmap(lambda n: arrays(np.float32, (n, 4), elements=coordinates))


@given(box_arrays, box_arrays)
def test_iou_equals_one_pair_at_a_time(a, b):
    table = iou(a[:, None], b[None])
    assert table.shape == (len(a), len(b))
    for i, box in enumerate(a.tolist()):
        for j, other in enumerate(b.tolist()):
            assert table[i, j] == slow.iou(box, other)


@given(box_arrays)
def test_iou_is_symmetric_and_1_with_itself_where_there_is_an_area(boxes):
    table = iou(boxes[:, None], boxes[None])
    np.testing.assert_array_equal(table, table.T)
    np.testing.assert_array_equal(np.diag(table), iou(boxes, boxes))
    np.testing.assert_array_equal(iou(boxes, boxes), areas(boxes) > 0)


@given(box_arrays, st.sampled_from([0.0, 0.25, 0.3, 0.5, 1.0]), st.data())
def test_nms_equals_one_pair_at_a_time(boxes, threshold, data):
    labels = data.draw(arrays(np.int64, len(boxes), elements=st.integers(0, 1)))
    assert nms(boxes, labels, threshold).tolist() == slow.nms(boxes, labels.tolist(), threshold)


@given(
    st.integers(201, 260), st.integers(1, 9), st.sampled_from([0.0, 0.3, 0.6]), st.randoms(use_true_random=False)
)
def test_nms_of_many_does_so_too(count, classes, threshold, draw):
    corners = [draw.sample(range(-4, 60), 4) for _ in range(count)]
    boxes = np.array([corner if draw.random() < 0.1 else _uncrossed(corner) for corner in corners], np.float32) / 2
    labels = np.array([draw.randrange(classes) for _ in range(count)])
    assert nms(boxes, labels, threshold).tolist() == slow.nms(boxes, labels.tolist(), threshold)


def _uncrossed(corner):
    x1, x2 = sorted(corner[::2])
    y1, y2 = sorted(corner[1::2])
    return [x1, y1, x2, y2]


def test_a_box_that_was_suppressed_suppresses_nobody():
    chain = np.array([[0, 0, 4, 4], [2, 0, 6, 4], [4, 0, 8, 4]], np.float32)
    assert nms(chain, np.zeros(3, np.int64), 0.3).tolist() == [0, 2]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20))
def test_pairs_are_taken_in_their_order_each_row_and_column_once(pairs):
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    taken = pair_off(rows, columns).tolist()
    for number, (row, column) in enumerate(pairs):
        earlier = [pairs[other] for other in taken if other < number]
        assert (number in taken) == (row not in {r for r, _ in earlier} and column not in {c for _, c in earlier})
