import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.propagation import decode
from heatprop.types import HeadOutput
from reference import boxes as slow_boxes
from reference import peaks as slow_peaks


@st.composite
def outputs(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes, height, width = draw(st.sampled_from([(1, 5, 6), (3, 7, 4), (80, 2, 2)]))
    shape = (classes, height, width)
    heatmap = random.choice([0, 0.25, 0.5, 1], shape) if draw(st.booleans()) else random.random(shape)
    size = random.uniform(0, 5, (draw(st.sampled_from([2, 4])), height, width))
    offset = random.random((2, height, width)) if draw(st.booleans()) else None
    return HeadOutput(heatmap, size, offset)


@given(outputs(), st.sampled_from([0.0, 0.3]), st.integers(1, 20), st.sampled_from([0.0, 0.3, 1.0]))
def test_decoding_equals_equation_1_written_out(output, threshold, count, nms_iou):
    cells = slow_peaks.peaks(output.heatmap, 3, threshold)
    cells = sorted(cells, key=lambda cell: -output.heatmap[cell])[:count]
    boxes = []
    for _, y, x in cells:
        dx, dy = (0, 0) if output.offset is None else output.offset[:, y, x]
        size = output.size[:, y, x]
        left, top, right, bottom = size if len(size) == 4 else (size[0] / 2, size[1] / 2, size[0] / 2, size[1] / 2)
        boxes.append([x + dx - left, y + dy - top, x + dx + right, y + dy + bottom])
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    kept = slow_boxes.nms(boxes, [cell[0] for cell in cells], nms_iou)
    found = decode(output, score_threshold=threshold, max_detections=count, nms_iou=nms_iou)
    assert found.labels.tolist() == [cells[i][0] for i in kept]
    assert found.scores.tolist() == [output.heatmap[cells[i]] for i in kept]
    np.testing.assert_allclose(found.boxes, boxes[kept], rtol=0, atol=1e-5)
    assert found.lengths.tolist() == [1] * len(kept)


def test_an_empty_heatmap_gives_no_detections():
    found = decode(HeadOutput(np.zeros((80, 4, 4)), np.zeros((2, 4, 4))))
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)


def test_a_heatmap_with_nan_is_refused():
    heatmap = np.zeros((1, 4, 4))
    heatmap[0, 1, 2] = np.nan
    with pytest.raises(InvalidArrayError, match=r"heatmap is nan at .*\(0, 1, 2\)"):
        decode(HeadOutput(heatmap, np.zeros((2, 4, 4))))


def test_an_offset_that_is_not_finite_at_a_peak_is_refused():
    heatmap, offset = np.zeros((1, 4, 4)), np.zeros((2, 4, 4))
    heatmap[0, 1, 2], offset[0, 1, 2] = 0.9, np.inf
    with pytest.raises(InvalidArrayError, match=r"offset is not finite at .*\(1, 2\)"):
        decode(HeadOutput(heatmap, np.zeros((2, 4, 4)), offset))


def test_a_setting_out_of_range_is_refused():
    with pytest.raises(InvalidConfigError, match=r"score_threshold is 1\.5"):
        decode(HeadOutput(np.zeros((1, 4, 4)), np.zeros((2, 4, 4))), score_threshold=1.5)
