"""Sparse propagation equals the dense reading of the paper, and behaves as section 5.3 says."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.propagation import GridEvidence, HeatmapPropagator, PropagationConfig, Tracklets, decode, rule_of
from heatprop.types import HeadOutput
from reference.propagation import DensePropagator
from same_detections import assert_same_detections, without_ids


def one_object(score, classes=1, grid=(9, 9), cell=(4, 4), elsewhere=0.0):
    heatmap = np.full((classes, *grid), elsewhere, np.float32)
    heatmap[0, cell[0], cell[1]] = score
    return HeadOutput(heatmap, np.full((2, *grid), 3.0, np.float32))


def scores_over(config, values):
    propagator = HeatmapPropagator(config)
    return [propagator.update(one_object(value)).scores[0] for value in values]


# the same as the dense reference


@st.composite
def videos(draw):
    """A few frames made to be awkward: few distinct values (ties, plateaus), empty frames, busy ones, borders."""
    classes, height, width = draw(st.sampled_from([(1, 6, 8), (1, 1, 1), (2, 5, 7), (3, 9, 9), (80, 2, 3)]))
    components = draw(st.sampled_from([2, 4]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["ties", "smooth", "sparse", "extreme", "same"]))
    with_offset = draw(st.booleans())
    frames = []
    for _ in range(draw(st.integers(1, 5))):
        shape = (classes, height, width)
        heatmap = {
            "ties": random.choice([0, 0.05, 0.25, 0.5, 0.5, 1], shape),
            "smooth": random.random(shape) ** 2,
            "sparse": random.random(shape) * (random.random(shape) < 0.05),
            "extreme": random.choice([0, 1e-30, 1e-7, 0.9999999, 1], shape),
            "same": np.full(shape, 0.3),
        }[kind]
        if draw(st.integers(0, 4)) == 0:
            heatmap = np.zeros(shape)
        size = random.uniform(0, 6, (components, height, width)).astype(np.float32)
        offset = random.random((2, height, width)).astype(np.float32) if with_offset else None
        frames.append((heatmap.astype(np.float32), size, offset))
    return frames


configs = st.builds(
    PropagationConfig,
    radius=st.integers(0, 5),
    alpha=st.sampled_from([0.0, 0.5, 0.98, 1.0]) | st.floats(0, 1),
    beta=st.sampled_from([0.0, 0.5, 2.0, 1000.0, inf]) | st.floats(0, 1e6),
    score_threshold=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    max_detections=st.sampled_from([1, 3, 100]),
    nms_iou=st.sampled_from([0.0, 0.3, 1.0]),
    carries=st.sampled_from(["balanced", "network"]),
)


@given(videos(), configs)
def test_the_sparse_update_equals_the_dense_reading_of_the_paper(frames, config):
    sparse, overwriting, dense = HeatmapPropagator(config), HeatmapPropagator(config), DensePropagator(config)
    for heatmap, size, offset in frames:
        before = heatmap.copy()
        found = sparse.update(HeadOutput(heatmap, size, offset))
        np.testing.assert_array_equal(heatmap, before)
        in_place = overwriting.update(HeadOutput(heatmap.copy(), size, offset), overwrite=True)
        np.testing.assert_array_equal(in_place.boxes, found.boxes)
        np.testing.assert_array_equal(in_place.scores, found.scores)
        wanted = dense.update(heatmap, size, offset)
        assert found.labels.tolist() == [d["label"] for d in wanted]
        assert found.lengths.tolist() == [d["length"] for d in wanted]
        np.testing.assert_allclose(found.scores, [d["score"] for d in wanted], rtol=0, atol=1e-5)
        np.testing.assert_allclose(found.boxes, np.reshape([d["box"] for d in wanted], (-1, 4)), rtol=0, atol=1e-4)


def carried_by(config, detection):
    return detection["network"] if config.carries == "network" else (detection["score"], detection["size"])


@given(videos(), configs)
def test_the_balanced_heatmap_equals_the_dense_one_everywhere(frames, config):
    dense = DensePropagator(config)
    for heatmap, size, offset in frames:
        carried = [d["cell"] for d in dense.detections]
        objects = Tracklets(
            np.array([c[0] for c in carried], np.int64),
            np.array([c[:0:-1] for c in carried], np.int64).reshape(-1, 2),
            np.array([carried_by(config, d)[0] for d in dense.detections], np.float32),
            np.array([carried_by(config, d)[1] for d in dense.detections], np.float32).reshape(-1, len(size)),
            np.array([d["length"] for d in dense.detections], np.int64),
            np.arange(len(carried)),
        )
        seen, rule = GridEvidence(HeadOutput(heatmap.copy(), size)), rule_of(config)
        claims = rule.claim(objects, seen)
        dense.update(heatmap, size, offset)
        seen.scores[claims.sites] = rule.balance(seen.read(claims.sites), claims, objects, (0, 0, 0, 0))
        balanced = seen.scores.reshape(heatmap.shape)
        np.testing.assert_allclose(balanced, dense.balanced, rtol=0, atol=1e-6)


# the paper's own numbers, section 5.3

TRACKED_THEN_LOST = [0.9] * 20 + [0.1, 0.1]
FALSE_ALARM = [0.8] + [0.1] * 30


def test_equation_6_alone_with_half_and_half_gives_05_and_03():
    scores = scores_over(PropagationConfig(alpha=0.5, beta=inf), TRACKED_THEN_LOST)
    assert scores[-2:] == pytest.approx([0.5, 0.3], abs=1e-6)


def test_equation_5_alone_with_beta_2_gives_088_and_086():
    scores = scores_over(PropagationConfig(alpha=1.0, beta=2.0), TRACKED_THEN_LOST)
    assert scores[-2:] == pytest.approx([0.880487804878, 0.862336925695], abs=1e-6)


def test_the_default_keeps_a_lost_object_at_086_and_083():
    scores = scores_over(PropagationConfig(), TRACKED_THEN_LOST)
    assert scores[-2:] == pytest.approx([0.864878048780, 0.832148383437], abs=1e-6)


def test_the_default_lets_a_false_alarm_fall_to_04_in_3_frames():
    scores = scores_over(PropagationConfig(), FALSE_ALARM)
    assert scores[1:4] == pytest.approx([0.557333, 0.458549, 0.401181], abs=1e-6)
    assert round(float(scores[3]), 1) == 0.4


def test_equation_6_alone_with_alpha_097_needs_27_frames_for_the_same():
    scores = scores_over(PropagationConfig(alpha=0.97, beta=inf), FALSE_ALARM)
    assert scores[27] == pytest.approx(0.407564, abs=1e-6)
    assert [round(float(score), 1) for score in scores[26:28]] == [0.4, 0.4]
    assert scores[26] > scores[27] > 0.4 > scores[28]


# the special cases of the paper


def test_the_papers_setting_is_the_default():
    assert PropagationConfig.paper() == PropagationConfig()
    assert PropagationConfig().carries == "balanced"


def test_interpolation_is_propagation_with_p_0_beta_infinite_and_alpha_a_half():
    config = PropagationConfig.interpolation()
    assert (config.radius, config.beta, config.alpha, config.peak_window) == (0, inf, 0.5, 3)


def test_interpolation_averages_what_the_network_said_not_averages():
    assert scores_over(PropagationConfig.interpolation(), TRACKED_THEN_LOST)[-2:] == pytest.approx([0.5, 0.1])
    recursive = replace(PropagationConfig.interpolation(), carries="balanced")
    assert scores_over(recursive, TRACKED_THEN_LOST)[-2:] == pytest.approx([0.5, 0.3])


def test_interpolation_mixes_the_networks_own_sizes():
    propagator = HeatmapPropagator(PropagationConfig.interpolation())
    widths = []
    for score, side in ((0.8, 2.0), (0.4, 8.0), (0.4, 5.0)):
        found = propagator.update(HeadOutput(one_object(score).heatmap, np.full((2, 9, 9), side)))
        widths.append(float(found.boxes[0, 2] - found.boxes[0, 0]))
    assert widths == pytest.approx([2.0, (0.8 * 2 + 0.4 * 8) / 1.2, (0.4 * 8 + 0.4 * 5) / 0.8])


@given(videos())
def test_interpolation_is_equation_11_where_the_last_frame_has_a_detection_and_the_network_elsewhere(frames):
    config = PropagationConfig.interpolation()
    sparse, dense = HeatmapPropagator(config), DensePropagator(config)
    last = None
    for heatmap, size, offset in frames:
        detected = [d["cell"] for d in dense.detections]
        dense.update(heatmap, size, offset)
        wanted = heatmap.astype(np.float64)
        for cell in detected:
            if last[cell] > 0:  # a score of 0 carries nothing
                wanted[cell] = 0.5 * (wanted[cell] + last[cell])  # equation 11
        np.testing.assert_allclose(dense.balanced, wanted, rtol=0, atol=1e-7)
        found = sparse.update(HeadOutput(heatmap, size, offset))
        assert [d["score"] for d in dense.detections] == pytest.approx(found.scores.tolist(), abs=1e-6)
        last = heatmap


# properties


@given(videos(), configs)
def test_without_carried_objects_a_frame_is_decoded_as_the_network_says(frames, config):
    config = replace(config, radius=1)  # the window of 3 x 3 that plain decoding uses
    heatmap, size, offset = frames[0]
    output = HeadOutput(heatmap, size, offset)
    found = HeatmapPropagator(config).update(output)
    alone = decode(
        output,
        score_threshold=config.score_threshold,
        max_detections=config.max_detections,
        nms_iou=config.nms_iou,
    )
    assert_same_detections(without_ids(found), alone)


@given(st.floats(0.06, 1), st.integers(2, 12))
def test_a_still_scene_of_constant_scores_keeps_its_scores(score, frames):
    scores = scores_over(PropagationConfig(), [score] * frames)
    assert scores == [np.float32(score)] * frames


@given(videos(), configs)
def test_no_score_is_lifted_above_the_largest_the_network_gave_its_class(frames, config):
    propagator = HeatmapPropagator(config)
    best = np.zeros(len(frames[0][0]), np.float32)
    for heatmap, size, offset in frames:
        best = np.maximum(best, heatmap.max(axis=(1, 2)))
        found = propagator.update(HeadOutput(heatmap, size, offset))
        assert (found.scores <= best[found.labels]).all()


@given(videos(), configs)
def test_alpha_0_gives_the_networks_scores(frames, config):
    propagator = HeatmapPropagator(replace(config, alpha=0.0, radius=1))
    for heatmap, size, offset in frames:
        found = propagator.update(HeadOutput(heatmap, size, offset))
        if len(found):
            assert found.scores[0] == heatmap.max()


def test_tracklet_length_counts_frames_in_a_row_and_starts_anew_after_a_gap():
    propagator = HeatmapPropagator(PropagationConfig(alpha=0.0))
    lengths = [propagator.update(one_object(score)).lengths.tolist() for score in (0.9, 0.9, 0.9, 0.0, 0.9)]
    assert lengths == [[1], [2], [3], [], [1]]


def test_an_object_that_moves_within_the_radius_keeps_its_tracklet_and_one_that_jumps_starts_anew():
    for step, wanted in ((2, 2), (3, 1)):
        propagator = HeatmapPropagator(PropagationConfig())
        propagator.update(one_object(0.9, cell=(4, 2)))
        found = propagator.update(one_object(0.9, cell=(4, 2 + step)))
        assert found.lengths.tolist()[0] == wanted


def test_a_hidden_object_stays_one_detection_where_it_was():
    propagator = HeatmapPropagator(PropagationConfig())
    small = np.full((2, 9, 9), 1.0, np.float32)  # boxes so small that suppression cannot merge a plateau
    propagator.update(HeadOutput(one_object(0.9).heatmap, small))
    for _ in range(3):
        found = propagator.update(HeadOutput(np.zeros((1, 9, 9), np.float32), small))
        assert found.boxes.tolist() == [[3.5, 3.5, 4.5, 4.5]]


def test_a_reset_forgets_the_video_before():
    propagator = HeatmapPropagator(PropagationConfig())
    propagator.update(one_object(0.9))
    propagator.reset()
    assert propagator.update(one_object(0.1)).scores == pytest.approx([0.1])
    propagator.reset()
    assert len(propagator.update(one_object(0.2, grid=(3, 5), cell=(1, 1)))) == 1


# bad input


def test_a_frame_of_another_shape_is_refused_and_the_state_stays():
    propagator = HeatmapPropagator(PropagationConfig())
    propagator.update(one_object(0.9))
    with pytest.raises(InvalidArrayError, match=r"changed from .* call reset\(\)"):
        propagator.update(one_object(0.9, grid=(8, 9)))
    assert propagator.update(one_object(0.9)).lengths.tolist() == [2]


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "broken"), (np.inf, "sigmoid"), (-0.5, "sigmoid"), (7.0, "sigmoid")],
)
def test_a_heatmap_that_holds_no_probabilities_is_refused_with_the_cell(value, message):
    propagator = HeatmapPropagator(PropagationConfig())
    heatmap = np.zeros((2, 4, 5), np.float32)
    heatmap[1, 2, 3] = value
    with pytest.raises(InvalidArrayError, match=r"\(1, 2, 3\).*" + message) as caught:
        propagator.update(HeadOutput(heatmap, np.ones((2, 4, 5))))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.5, 7.0])
def test_so_is_one_where_a_carried_object_would_hide_it(value):
    propagator = HeatmapPropagator(PropagationConfig())
    propagator.update(one_object(0.9))
    heatmap = np.zeros((1, 9, 9), np.float32)
    heatmap[0, 4, 3] = value
    with pytest.raises(InvalidArrayError, match=r"\(0, 4, 3\)"):
        propagator.update(HeadOutput(heatmap, np.ones((2, 9, 9))))


def test_a_size_that_is_not_finite_matters_only_where_it_is_used():
    size = np.full((2, 9, 9), 3.0, np.float32)
    size[:, 0, 0] = np.nan
    output = HeadOutput(one_object(0.9).heatmap, size)
    assert len(HeatmapPropagator().update(output)) == 1
    size[:, 4, 4] = np.nan
    with pytest.raises(InvalidArrayError, match="size is not finite at"):
        HeatmapPropagator().update(HeadOutput(one_object(0.9).heatmap, size))


@pytest.mark.parametrize(
    "setting",
    [
        {"radius": -1},
        {"radius": 1.5},
        {"radius": True},
        {"alpha": 1.1},
        {"alpha": np.nan},
        {"beta": -1.0},
        {"beta": np.nan},
        {"beta": "2"},
        {"score_threshold": 2},
        {"max_detections": 0},
        {"nms_iou": -0.1},
        {"carries": "nothing"},
    ],
)
def test_a_setting_out_of_range_is_named_with_its_value_and_range(setting):
    (name,) = setting
    with pytest.raises(InvalidConfigError, match=f"^{name} is .* it must be"):
        PropagationConfig(**setting)


def spot(row, column, score, classes=2, side=40):
    """Return a head output with one peak."""
    heatmap = np.zeros((classes, side, side), np.float32)
    heatmap[0, row, column] = score
    return HeadOutput(heatmap, np.full((2, side, side), 3.0, np.float32))


@given(st.integers(3, 16), st.integers(3, 16), st.integers(0, 20), st.integers(0, 20))
def test_a_moved_object_is_carried_to_where_it_went(row, column, down, right):
    propagator = HeatmapPropagator(PropagationConfig(radius=0))
    propagator.update(spot(row, column, 0.9))
    propagator.move(np.float32([[right, down]]))
    found = propagator.update(spot(row + down, column + right, 0.2))
    assert found.lengths.tolist() == [2]
    assert found.scores[0] > 0.6


def test_no_motion_changes_nothing():
    frames = [spot(20, 20 + i, 0.5) for i in range(4)]
    still, usual = HeatmapPropagator(), HeatmapPropagator()
    for frame in frames:
        one, other = still.update(frame), usual.update(frame)
        assert_same_detections(one, other)
        still.move(np.zeros((len(one), 2), np.float32), np.ones(len(one), np.float32))


def test_sizes_grow_with_what_is_moved():
    propagator = HeatmapPropagator(PropagationConfig(radius=0, beta=inf, alpha=1.0))
    propagator.update(spot(20, 20, 0.9))
    propagator.move(np.zeros((1, 2), np.float32), np.float32([1.5]))
    found = propagator.update(spot(20, 20, 0.0))
    np.testing.assert_allclose(found.boxes[0, 2:] - found.boxes[0, :2], 4.5, rtol=1e-5)


def test_what_is_moved_off_the_grid_is_forgotten():
    propagator = HeatmapPropagator()
    propagator.update(spot(20, 20, 0.9))
    propagator.move(np.float32([[0, -21]]))
    assert len(propagator.update(spot(20, 20, 0.0))) == 0


@pytest.mark.parametrize("rows", [0, 2])
def test_a_motion_for_another_number_of_objects_is_refused(rows):
    propagator = HeatmapPropagator()
    propagator.update(spot(20, 20, 0.9))
    with pytest.raises(InvalidArrayError, match="a row a detection"):
        propagator.move(np.zeros((rows, 2), np.float32))


def test_before_the_first_frame_there_is_nothing_to_move():
    HeatmapPropagator().move(np.zeros((0, 2), np.float32))


# arrays and errors


@pytest.mark.parametrize("config", [PropagationConfig.paper(), PropagationConfig.adaptive()])
def test_a_heatmap_that_is_read_only_is_copied_also_where_it_may_be_overwritten(config):
    fixed, free = HeatmapPropagator(config), HeatmapPropagator(config)
    for score in (0.9, 0.4, 0.6):
        output = one_object(score)
        wanted = free.update(output)
        output.heatmap.flags.writeable = False
        before = output.heatmap.copy()
        assert_same_detections(fixed.update(output, overwrite=True), wanted)
        np.testing.assert_array_equal(output.heatmap, before)


@pytest.mark.parametrize("config", [PropagationConfig.paper(), PropagationConfig.adaptive()])
@pytest.mark.parametrize(
    "arrange",
    [
        np.asfortranarray,
        lambda heatmap: np.repeat(heatmap, 2, axis=2)[:, :, ::2],
        lambda heatmap: heatmap[:, ::-1].copy()[:, ::-1],
        lambda heatmap: heatmap.astype(">f4"),
        lambda heatmap: heatmap.astype(np.float64),
        lambda heatmap: np.frombuffer(heatmap.tobytes(), np.float32).reshape(heatmap.shape),
        lambda heatmap: np.broadcast_to(heatmap[None], (1, *heatmap.shape))[0],
    ],
)
def test_how_a_heatmap_lies_in_memory_does_not_matter(config, arrange):
    some, plain = HeatmapPropagator(config), HeatmapPropagator(config)
    for score in (0.9, 0.4, 0.6):
        output = one_object(score)
        wanted = plain.update(output)
        arranged = HeadOutput(arrange(output.heatmap), output.size)
        assert_same_detections(some.update(arranged, overwrite=True), wanted)


@given(videos(), st.sampled_from([PropagationConfig.paper(), PropagationConfig.adaptive()]), st.data())
def test_updates_and_moves_that_fail_leave_no_trace(frames, config, data):
    disturbed, alone = HeatmapPropagator(config), HeatmapPropagator(config)
    for heatmap, size, offset in frames:
        kind = data.draw(st.sampled_from(["nan", "above", "grid", "size", "move", "endless"]))
        bad, count = heatmap.copy(), len(disturbed.memory.tracklets or ())
        bad.reshape(-1)[-1] = {"nan": np.nan, "above": 1.5}.get(kind, 1.0)
        if kind in ("move", "endless"):
            shifts = np.full((count + (kind == "move"), 2), np.inf if kind == "endless" else 0, np.float32)
            if len(shifts):
                with pytest.raises(InvalidArrayError):
                    disturbed.move(shifts)
        elif kind != "grid" or disturbed.memory.tracklets is not None:
            sizes = np.full_like(size, np.nan) if kind == "size" else size
            if kind == "grid":
                bad, sizes = (np.concatenate([each, each], axis=1) for each in (bad, size))
            with pytest.raises(InvalidArrayError):
                disturbed.update(HeadOutput(bad, sizes), overwrite=True)
        output = HeadOutput(heatmap, size, offset)
        assert_same_detections(disturbed.update(output), alone.update(output))


@pytest.mark.parametrize("growth", [0.0, -1.0, np.inf, 1e39, 3e38])
def test_growth_that_leads_to_no_box_is_refused_and_the_state_stays(growth):
    propagator = HeatmapPropagator()
    propagator.update(one_object(0.9))
    with pytest.raises(InvalidArrayError, match="growth"):
        propagator.move(np.zeros((1, 2), np.float32), np.array([growth]))
    assert propagator.update(one_object(0.9)).lengths.tolist() == [2]


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16, np.uint64])
def test_settings_that_are_small_numbers_of_numpy_are_what_they_are_as_pythons(kind):
    random = np.random.default_rng(0)
    plain = PropagationConfig(radius=100, max_detections=100)
    of_numpy = PropagationConfig(radius=kind(100), max_detections=kind(100))
    one, other = HeatmapPropagator(plain), HeatmapPropagator(of_numpy)
    for _ in range(2):
        heatmap = random.random((2, 30, 40), np.float32) ** 9
        output = HeadOutput(heatmap, np.full((2, 30, 40), 3.0))
        assert_same_detections(other.update(output), one.update(output))


@pytest.mark.parametrize("radius", [17, 128])
def test_large_squares_of_many_objects_equal_the_dense_ones(radius):
    random = np.random.default_rng(radius)
    shape, config = (3, 40, 50), PropagationConfig(radius=radius, nms_iou=1.0)
    dense = DensePropagator(config)
    cells = np.sort(random.choice(np.prod(shape), 300, replace=False))
    scores = np.sort(random.choice([0, 0.1, 0.4, 0.4, 0.9], 300))[::-1].astype(np.float32)
    sizes, lengths = random.random((300, 2), np.float32), random.integers(1, 9, 300)
    cells = random.permutation(cells)
    seen = GridEvidence(HeadOutput(np.zeros(shape), np.zeros((2, *shape[1:]))))
    carried = Tracklets(*seen.places(cells), scores, sizes, lengths, np.arange(300))
    dense.detections = [
        {"cell": np.unravel_index(cell, shape), "score": float(score), "size": size, "length": length}
        for cell, score, size, length in zip(cells, scores, sizes, lengths, strict=True)
    ]
    h, length, size, distance = dense.propagation_heatmap(shape, 2)
    found = rule_of(config).claim(carried, seen)
    assert found.sites.tolist() == np.flatnonzero(h > 0).tolist()
    assert scores[found.sources].astype(float).tolist() == h.reshape(-1)[found.sites].tolist()
    assert lengths[found.sources].tolist() == length.reshape(-1)[found.sites].tolist()
    assert found.distances.tolist() == distance.reshape(-1)[found.sites].tolist()
    label, place = np.divmod(found.sites, 40 * 50)
    assert sizes[found.sources, 0].tolist() == size.reshape(3, 2, -1)[label, 0, place].astype(np.float32).tolist()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("radius", 129),
        ("radius", 10**9),
        pytest.param("radius", 10**5000, id="of thousands of digits"),
        ("radius", inf),
        ("radius", np.int64(2**62)),
        ("max_detections", 10**12),
        ("max_detections", 1001),
        ("alpha", inf),
        ("alpha", float("nan")),
        ("alpha", 10**400),
        ("beta", float("nan")),
        ("beta", -inf),
        ("beta", 10**400),
        ("beta", "2\n"),
        ("score_threshold", float("nan")),
        pytest.param("nms_iou", 10**5000, id="of thousands of digits too"),
    ],
)
def test_settings_beyond_what_can_be_are_refused_in_a_line(setting, value):
    with pytest.raises(InvalidConfigError, match=f"^{setting} is .*; it must be a") as caught:
        PropagationConfig(**{setting: value})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("form", [PropagationConfig.paper(), PropagationConfig.adaptive()])
@pytest.mark.parametrize("beta", [1e300, 1.7e308, 5e-324])
def test_the_largest_and_smallest_beta_are_what_their_limits_are(form, beta):
    limit = replace(form, beta=inf if beta > 1 else 0.0)
    values = [0.9] * 3 + [0.2] * 3
    assert scores_over(replace(form, beta=beta), values) == scores_over(limit, values)
