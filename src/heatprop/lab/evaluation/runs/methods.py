"""The temporal methods that are compared: from the network's outputs of a video to detections in pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, fields, replace
from math import inf
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidConfigError, check_range
from heatprop.letterbox import Letterbox
from heatprop.offline.joining import JoiningConfig, join_tracks
from heatprop.offline.seqnms import SeqNmsConfig, seq_nms
from heatprop.propagation import AdaptationConfig, Memory, PropagationConfig
from heatprop.propagation.evidence import Form
from heatprop.propagation.identities import Identities
from heatprop.runtime.numbering import Numbering
from heatprop.runtime.postprocessing import Postprocessing
from heatprop.runtime.preprocessing import PreparedFrame
from heatprop.types import Detections, DetectorOutput, IntArray

MethodName: TypeAlias = Literal["network", "interpolation", "propagation", "adaptive"]
Arrays: TypeAlias = dict[str, NDArray[Any]]
_IDENTITY = "identity_"


@dataclass(frozen=True, kw_only=True)
class Method:
    """What happens to the network's outputs of a video.

    Attributes:
        name: "network" runs on each frame for itself; "interpolation" is the baseline of the paper's section 5.1;
            "propagation" is heatmap propagation; "adaptive" is that, adapting to each object.
        propagation: settings of "propagation" and "adaptive".
        score_threshold: detections below it are dropped, and not carried on either; in [0, 1].
        seq_nms: settings of Seq-NMS over the detections of the whole video; None for none.
        joining: settings of joining its tracks, after that; None for none.

    Nothing is forgotten at cuts between shots, as in the paper: videos of these datasets have none.

    Raises:
        InvalidConfigError: a value lies outside its range.
    """

    name: MethodName = "propagation"
    propagation: PropagationConfig = PropagationConfig()
    score_threshold: float = PropagationConfig.score_threshold
    seq_nms: SeqNmsConfig | None = None
    joining: JoiningConfig | None = None

    def __post_init__(self) -> None:
        if self.name not in get_args(MethodName):
            raise InvalidConfigError(f"method is {self.name!r}; choose one of {', '.join(get_args(MethodName))}")
        check_range("score_threshold", self.score_threshold, 0, 1)

    def config(self) -> PropagationConfig | None:
        """Return the settings of propagation that the method comes down to; None for the network alone."""
        if self.name == "network":
            return None
        chosen = PropagationConfig.interpolation() if self.name == "interpolation" else self.propagation
        if self.name == "adaptive" and chosen.adaptation is None:
            chosen = replace(chosen, adaptation=AdaptationConfig())
        return replace(chosen, score_threshold=self.score_threshold)

    def to_json(self) -> dict[str, Any]:
        """Return all that shapes the detections, as strict JSON: infinity is the text "inf"."""
        settings: dict[str, Any] = {"method": self.name, "score_threshold": self.score_threshold, "seq_nms": None}
        if self.name in ("propagation", "adaptive"):
            settings |= _settings_of(self.config())
        if self.seq_nms is not None:
            settings["seq_nms"] = _settings_of(self.seq_nms)
        if self.joining is not None:
            settings["joining"] = _settings_of(self.joining)
        return {key: _plain(value) for key, value in settings.items()}

    def __str__(self) -> str:
        """Return the method in a few words."""
        words = {"network": "network alone", "interpolation": "interpolation"}.get(self.name)
        if words is None:
            config = self.propagation
            words = f"propagation (P={config.radius}, alpha {config.alpha:g}, beta {config.beta:g})"
            if self.name == "adaptive" or config.adaptation is not None:
                words = f"adaptive {words}"
        words = words if self.seq_nms is None else f"{words} + Seq-NMS"
        return words if self.joining is None else f"{words}, joined"


class VideoMethod:
    """A method at work on one video, frame after frame, without Seq-NMS, which comes when all frames are there.

    It is the runtime's postprocessing of a video without cuts whose every frame is a key frame.

    Args:
        method: what to do.
        labels: the dataset's class number of each class of the outputs, int64 ``(C,)``.
        stride: pixels of the network's input for one cell; 1 for boxes.
        nms_iou: of a network that gives boxes; see `Postprocessing`.
    """

    def __init__(self, method: Method, labels: IntArray, stride: int, nms_iou: float | None = None) -> None:
        self._labels = labels
        self._postprocessing = Postprocessing(method.config(), method.score_threshold, stride, nms_iou=nms_iou)
        self._state = self._postprocessing.begin()
        self._fitted: Letterbox | None = None

    def update(self, output: DetectorOutput, fitted: Letterbox, *, overwrite: bool = False) -> Detections:
        """Detect in the next frame; an image of another size starts anew, as in `VideoDetector`.

        Args:
            output: the network's, for it.
            fitted: how the image was laid into the network's input.
            overwrite: whether `output.heatmap` may be changed, which spares copying it.

        Returns:
            Boxes in pixels of the image, labels of the dataset, by falling score.

        Raises:
            InvalidArrayError: the output is broken; see `HeatmapPropagator.update`. All is as it was.
        """
        starts_shot = self._fitted is not None and fitted != self._fitted
        frame = PreparedFrame(None, None, fitted, starts_shot, pace=1.0)
        self._state, (found,) = self._postprocessing.step(self._state, frame, output, overwrite=overwrite)
        self._fitted = fitted
        return replace(found, labels=self._labels[found.labels])

    def memory(self) -> Arrays:
        """Return what later frames need to know, as named arrays: see `restore`."""
        memory: Arrays = {}
        if self._fitted is not None:
            memory["fitted"] = np.array(astuple(self._fitted), np.int64)
        if self._postprocessing.rule is not None:
            tracklets, form, identities, next_id = self._state.memory
            memory["next_id"] = np.array(next_id, np.int64)
            if tracklets is not None and identities is not None:
                memory["form"] = np.array(form, np.int64)
                memory |= {item.name: getattr(tracklets, item.name) for item in fields(tracklets)}
                memory |= {_IDENTITY + item.name: getattr(identities, item.name) for item in fields(identities)}
                numbering = self._state.numbering
                memory |= {"shown_ids": numbering.ids, "shown_numbers": numbering.numbers}
                memory["next_number"] = np.array(numbering.next_number, np.int64)
        return memory

    def restore(self, memory: Arrays) -> None:
        """Go on where a method with this memory was.

        Raises:
            KeyError: the memory is not that of such a method.
        """
        if "fitted" in memory:
            self._fitted = Letterbox(*memory["fitted"].tolist())
        rule = self._postprocessing.rule
        if rule is not None and self._fitted is not None:
            tracklets = rule.tracklets(**{item.name: memory[item.name] for item in fields(rule.tracklets)})
            identities = Identities(**{item.name: memory[_IDENTITY + item.name] for item in fields(Identities)})
            form = Form(*memory["form"].tolist())
            known = Memory(tracklets, form, identities, int(memory["next_id"]))
            numbering = Numbering(memory["shown_ids"], memory["shown_numbers"], int(memory["next_number"]))
            self._state = replace(self._state, memory=known, numbering=numbering)


def _settings_of(config: PropagationConfig | SeqNmsConfig | JoiningConfig | None) -> dict[str, Any]:
    """Return every field, so that none is forgotten, except parts that are switched off."""
    return {} if config is None else {key: value for key, value in asdict(config).items() if value is not None}


def _plain(value: Any) -> Any:
    """Return settings as strict JSON knows them: numbers of Python's, and the text "inf" for infinity."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    if isinstance(value, Integral):
        return int(value)
    return "inf" if value == inf else float(value)


def finish_video(method: Method, found: Iterable[Detections]) -> list[Detections]:
    """Do what a method does when all frames of a video are there."""
    detections = list(found)
    if method.seq_nms is not None:
        detections = seq_nms(detections, method.seq_nms)
    return detections if method.joining is None else join_tracks(detections, method.joining)
