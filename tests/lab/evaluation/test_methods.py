"""The methods that are compared, and whose class is whose."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.lab.datasets.imagenet_classes import VID_CLASSES
from heatprop.lab.evaluation.runs.class_matching import match_classes
from heatprop.lab.evaluation.runs.evaluation_folder import EvaluationFolder, EvaluationFolderError
from heatprop.lab.evaluation.runs.methods import Method, VideoMethod, finish_video
from heatprop.letterbox import Letterbox, fit_letterbox
from heatprop.offline.joining import JoiningConfig, join_tracks
from heatprop.offline.seqnms import SeqNmsConfig, seq_nms
from heatprop.propagation import AdaptationConfig, IdentityConfig, PropagationConfig
from heatprop.types import HeadOutput
from heatprop.zoo import load
from lab.evaluation.small_runs import TinyBackend
from same_detections import assert_same_detections

METHODS = [Method(name="network"), Method(name="interpolation"), Method(), Method(name="adaptive")]
LABELS = np.array([4, 0, 7])


def scene(frames: int, height: int = 32) -> tuple[list[HeadOutput], Letterbox]:
    random = np.random.default_rng(5)
    images = (255 * random.random((frames, height, 64, 3)) ** 0.5).astype(np.uint8)
    backend = TinyBackend()
    return backend.infer(images), fit_letterbox(64, height, load("mb3-coco").card.input)


def test_the_names_say_which_settings_hold() -> None:
    assert METHODS[0].config() is None
    assert METHODS[1].config() == PropagationConfig.interpolation()
    assert METHODS[2].config() == PropagationConfig()
    assert METHODS[3].config() == PropagationConfig.adaptive()
    assert Method(score_threshold=0.2).config() == PropagationConfig(score_threshold=0.2)


def test_adaptive_keeps_the_settings_that_it_is_given() -> None:
    given = PropagationConfig(radius=1, beta=1.0)
    assert Method(name="adaptive", propagation=given, score_threshold=0.1).config() == PropagationConfig(
        radius=1, beta=1.0, score_threshold=0.1, adaptation=AdaptationConfig()
    )
    own = PropagationConfig(adaptation=AdaptationConfig(boost=0, max_length=inf))
    assert Method(name="adaptive", propagation=own).config() == own
    assert Method(propagation=own).config() == own


def test_settings_become_strict_json_and_words() -> None:
    method = Method(propagation=PropagationConfig(radius=1, beta=inf), seq_nms=SeqNmsConfig())
    assert method.to_json() == {
        "method": "propagation",
        "score_threshold": 0.05,
        "radius": 1,
        "alpha": 0.98,
        "beta": "inf",
        "carries": "balanced",
        "max_detections": 100,
        "nms_iou": 0.3,
        "identity": asdict(IdentityConfig()),
        "seq_nms": {"link_iou": 0.5, "suppress_iou": 0.3, "rescoring": "mean", "min_path_score": 0.01},
    }
    assert str(method) == "propagation (P=1, alpha 0.98, beta inf) + Seq-NMS"
    assert METHODS[0].to_json() == {"method": "network", "score_threshold": 0.05, "seq_nms": None}
    assert [str(each) for each in METHODS[:2]] == ["network alone", "interpolation"]


def test_the_settings_of_adaptive_become_strict_json_and_words() -> None:
    own = PropagationConfig(radius=3, adaptation=AdaptationConfig(max_length=inf, min_iou=0))
    method = Method(name="adaptive", propagation=own)
    assert method.to_json() == {
        "method": "adaptive",
        "score_threshold": 0.05,
        "radius": 3,
        "alpha": 0.98,
        "beta": 2.0,
        "carries": "balanced",
        "max_detections": 100,
        "nms_iou": 0.3,
        "identity": asdict(IdentityConfig()),
        "adaptation": {
            "velocity": 0.5,
            "least_radius": 1,
            "nearness": 0.01,
            "min_iou": 0,
            "second_chance": 0.5,
            "support": 0.1,
            "decay": 0.8,
            "max_length": "inf",
            "rising_weight": 0.8,
            "boost": 0.1,
            "best_decay": 0.05,
            "leaving": 0.5,
            "leaving_speed": 1.0,
            "trust": 2.0,
            "holds_peaks": True,
        },
        "seq_nms": None,
    }
    text = json.dumps(method.to_json(), allow_nan=False)
    assert json.loads(text) == method.to_json()
    read = {name: float(value) for name, value in json.loads(text)["adaptation"].items()}
    assert AdaptationConfig(**read | {"least_radius": 1, "holds_peaks": True}) == own.adaptation  # type: ignore[arg-type]
    assert str(method) == "adaptive propagation (P=3, alpha 0.98, beta 2)"
    assert str(METHODS[3]) == "adaptive propagation (P=2, alpha 0.98, beta 2)"
    assert "adaptation" not in METHODS[2].to_json()
    assert str(Method(propagation=own)) == str(method)


def others(value: object) -> object:
    """Return another value that the same setting may have."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return {"balanced": "network", "mean": "max"}[value]
    if isinstance(value, int):
        return value + 1
    return float(value) / 2 + 0.01  # type: ignore[arg-type]


def with_each_field_changed(config: object) -> list[object]:
    return [replace(config, **{each.name: others(getattr(config, each.name))}) for each in fields(config)]  # type: ignore[type-var, arg-type]


def test_no_setting_is_forgotten_where_methods_are_told_apart(tmp_path: Path) -> None:
    papers, adaptation = PropagationConfig.paper(), AdaptationConfig()
    # The method's threshold stands for that of propagation, and what adapts carries what is balanced.
    fixed = {"score_threshold", "adaptation", "identity"}
    changed = [
        replace(papers, **{each.name: others(getattr(papers, each.name))})
        for each in fields(papers)
        if each.name not in fixed
    ]
    changed += [replace(papers, adaptation=each) for each in [adaptation, *with_each_field_changed(adaptation)]]  # type: ignore[arg-type]
    changed += [replace(papers, identity=each) for each in with_each_field_changed(papers.identity)]  # type: ignore[arg-type]
    methods = [Method(), Method(score_threshold=0.1), Method(name="network"), Method(name="interpolation")]
    methods += [Method(propagation=config) for config in changed]
    methods += [Method(seq_nms=each) for each in [SeqNmsConfig(), *with_each_field_changed(SeqNmsConfig())]]  # type: ignore[arg-type]
    methods += [Method(joining=each) for each in [JoiningConfig(), *with_each_field_changed(JoiningConfig())]]  # type: ignore[arg-type]
    told = {json.dumps(method.to_json(), sort_keys=True) for method in methods}
    assert len(told) == len(methods)
    EvaluationFolder(tmp_path / "run", Method().to_json())
    for method in methods[1:]:
        with pytest.raises(EvaluationFolderError, match="give -o another folder"):
            EvaluationFolder(tmp_path / "run", method.to_json())


def test_a_run_that_does_not_say_a_setting_is_another(tmp_path: Path) -> None:
    settings = Method().to_json()
    EvaluationFolder(tmp_path / "run", {name: settings[name] for name in settings if name != "nms_iou"})
    with pytest.raises(
        EvaluationFolderError, match=r"does not say its nms_iou, perhaps of an earlier version; give -o"
    ):
        EvaluationFolder(tmp_path / "run", settings)


@pytest.mark.parametrize("settings", [{"name": "magic"}, {"score_threshold": 1.5}, {"score_threshold": "x"}])
def test_impossible_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InvalidConfigError):
        Method(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_restored_method_goes_on_as_if_nothing_had_happened(method: Method) -> None:
    outputs, fitted = scene(12)
    whole = VideoMethod(method, LABELS, 4)
    expected = [whole.update(output, fitted) for output in outputs]
    found = []
    memory = VideoMethod(method, LABELS, 4).memory()
    for output in outputs:
        fresh = VideoMethod(method, LABELS, 4)
        fresh.restore(memory)
        found.append(fresh.update(output, fitted))
        memory = fresh.memory()
    assert sum(map(len, expected)) > 20
    for one, other in zip(expected, found, strict=True):
        assert_same_detections(other, one)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_labels_are_the_datasets_and_outputs_stay_as_they_are(method: Method) -> None:
    outputs, fitted = scene(3)
    before = [output.heatmap.copy() for output in outputs]
    at_work = VideoMethod(method, LABELS, 4)
    labels = {label for output in outputs for label in at_work.update(output, fitted).labels.tolist()}
    assert labels == {0, 4, 7}
    for old, output in zip(before, outputs, strict=True):
        np.testing.assert_array_equal(old, output.heatmap)


def test_an_image_of_another_size_starts_anew() -> None:
    (first, second), fitted = scene(2)
    (other,), wider = scene(1, height=64)
    for method in METHODS[2:]:
        at_work = VideoMethod(method, LABELS, 4)
        at_work.update(first, fitted)
        assert at_work.update(second, fitted).lengths.max() == 2
        assert at_work.update(other, wider).lengths.max() == 1


def test_settings_that_are_numbers_of_numpy_become_json() -> None:
    settings = AdaptationConfig(least_radius=np.int64(1), boost=np.float64(0.1))  # type: ignore[arg-type]
    method = Method(propagation=PropagationConfig(radius=np.int64(2), adaptation=settings))  # type: ignore[arg-type]
    assert json.loads(json.dumps(method.to_json())) == Method(name="adaptive").to_json() | {
        "method": "propagation"
    }


def test_the_memory_of_adaptive_is_what_it_follows_and_that_of_the_papers_form_will_not_do() -> None:
    (first,), fitted = scene(1)
    memories = {}
    for method in METHODS[2:]:
        at_work = VideoMethod(method, LABELS, 4)
        at_work.update(first, fitted)
        memories[method.name] = at_work.memory()
    extra = {"velocities", "errors", "best"}
    assert memories["adaptive"].keys() == memories["propagation"].keys() | extra
    with pytest.raises(KeyError):
        VideoMethod(Method(name="adaptive"), LABELS, 4).restore(memories["propagation"])


def test_seq_nms_comes_when_the_video_is_whole() -> None:
    outputs, fitted = scene(5)
    at_work = VideoMethod(Method(), LABELS, 4)
    found = [at_work.update(output, fitted) for output in outputs]
    assert finish_video(Method(), iter(found)) == found
    rescored = finish_video(Method(seq_nms=SeqNmsConfig()), iter(found))
    for one, other in zip(rescored, seq_nms(found), strict=True):
        assert_same_detections(one, other)


def test_tracks_are_joined_last() -> None:
    outputs, fitted = scene(12)
    at_work = VideoMethod(Method(), LABELS, 4)
    found = [at_work.update(output, fitted) for output in outputs]
    joining = JoiningConfig(max_gap=8, min_score=0.2)
    for rescoring in (None, SeqNmsConfig()):
        joined = finish_video(Method(seq_nms=rescoring, joining=joining), found)
        wanted = join_tracks(found if rescoring is None else seq_nms(found, rescoring), joining)
        for one, other in zip(joined, wanted, strict=True):
            assert_same_detections(one, other)
    assert str(Method(seq_nms=SeqNmsConfig(), joining=joining)).endswith("+ Seq-NMS, joined")


def test_broken_outputs_are_said() -> None:
    (output,), fitted = scene(1)
    output.heatmap[0, 0, 0] = np.nan
    for method in METHODS:
        with pytest.raises(InvalidArrayError, match="heatmap is nan"):
            VideoMethod(method, LABELS, 4).update(output, fitted)


def test_classes_of_coco_are_found_among_those_of_imagenet_vid() -> None:
    coco = load("mb3-coco").card.classes
    vid = list(VID_CLASSES)
    matched = match_classes(coco, vid)
    pairs = {vid[label]: coco[channel] for channel, label in zip(matched.channels, matched.labels, strict=True)}
    assert pairs == {
        "airplane": "airplane", "bear": "bear", "bicycle": "bicycle", "bird": "bird", "bus": "bus", "car": "car",
        "cattle": "cow", "dog": "dog", "domestic_cat": "cat", "elephant": "elephant", "horse": "horse",
        "motorcycle": "motorcycle", "sheep": "sheep", "train": "train", "watercraft": "boat", "zebra": "zebra",
    }  # fmt: skip
    assert set(matched.missing) == set(vid) - set(pairs)


def test_the_models_own_dataset_keeps_every_channel() -> None:
    coco = load("mb3-coco").card.classes
    matched = match_classes(coco, coco)
    assert matched.channels.tolist() == matched.labels.tolist() == list(range(80))
    output = HeadOutput(np.zeros((80, 2, 2)), np.zeros((2, 2, 2)))
    assert matched.restrict(output) is output


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="no class in common: the model's begin with 'cup'"):
        match_classes(["cup"], ["lion", "tiger"])


@pytest.mark.parametrize("method", METHODS[2:])
def test_a_broken_output_of_an_image_of_another_size_forgets_nothing(method: Method) -> None:
    (first, second), fitted = scene(2)
    (other,), wider = scene(1, height=64)
    disturbed, alone = VideoMethod(method, LABELS, 4), VideoMethod(method, LABELS, 4)
    for at_work in (disturbed, alone):
        at_work.update(first, fitted)
    with pytest.raises(InvalidArrayError):
        disturbed.update(HeadOutput(other.heatmap * np.nan, other.size), wider)
    assert_same_detections(disturbed.update(second, fitted), alone.update(second, fitted))
