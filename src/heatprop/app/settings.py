"""What the page can set of propagation: names, ranges and help, read from the dataclasses that they belong to."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from heatprop.errors import InvalidConfigError, check_range, shortened
from heatprop.propagation import PropagationConfig
from heatprop.propagation.config import AdaptationConfig, Carries

Form = Literal["none", "paper", "adaptive"]
FORMS: tuple[Form, ...] = get_args(Form)
SHOWN_FROM = 0.3
"""Score from which detections are shown, unless said otherwise: that of `heatprop.VideoDetector`."""
ALONE = "alone"

_HEATMAP = ("radius", "alpha", "beta", "nms_iou")
_LABELS = {
    "score_threshold": "Threshold",
    "radius": "P",
    "alpha": "α",
    "beta": "β",
    "nms_iou": "Suppression IoU",
    "min_iou": "Least IoU",
}
_STEPS: Mapping[str, tuple[float, float, float]] = {  # least, most and step where they are not 0, 1 and 0.01
    "radius": (0, 16, 1),
    "beta": (0, 10, 0.1),
    "least_radius": (0, 16, 1),
    "nearness": (0, 1, 0.005),
    "max_length": (0, 60, 1),
    "leaving_speed": (0, 10, 0.1),
    "trust": (0, 10, 0.1),
    "score_threshold": (0.05, 1, 0.01),
}


@dataclass(frozen=True, slots=True)
class Tuning:
    """What detections of a run are made with.

    Attributes:
        propagation: None for the network alone.
        score_threshold: detections below it are not shown.
    """

    propagation: PropagationConfig | None = PropagationConfig.adaptive()
    score_threshold: float = SHOWN_FROM

    @property
    def form(self) -> Form:
        """Its form of propagation."""
        if self.propagation is None:
            return "none"
        return "paper" if self.propagation.adaptation is None else "adaptive"

    @property
    def key(self) -> str:
        """A name for files and addresses: two tunings that do the same have the same."""
        if self.propagation is None:
            return alone_key(self.score_threshold)
        # A whole number and the same as a float are one setting.
        text = json.dumps([asdict(self.propagation), float(self.score_threshold)], sort_keys=True)
        text = re.sub(r"(\d)\.0\b", r"\1", text)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Return all settings by name, as the page sends them; infinity is the text "inf"."""
        config = self.propagation or PropagationConfig.adaptive()
        values: dict[str, Any] = {"form": self.form, "score_threshold": self.score_threshold}
        values |= {name: getattr(config, name) for name in (*_HEATMAP, "carries")}
        adaptation = config.adaptation or AdaptationConfig()
        values |= {each.name: getattr(adaptation, each.name) for each in fields(adaptation)}
        return {name: "inf" if value == math.inf else value for name, value in values.items()}


def alone_key(score_threshold: float) -> str:
    """Return the key of the network alone at a threshold.

    >>> alone_key(0.3)
    'alone-0.3'
    """
    return f"{ALONE}-{score_threshold:g}"


def threshold_of(key: str) -> float | None:
    """Return the threshold in a key of the network alone; None for another key."""
    found = re.fullmatch(rf"{ALONE}-([01](?:\.\d{{1,6}})?)", key)
    return None if found is None else float(found[1])


def tuning_of(settings: object) -> Tuning:
    """Return the tuning that settings by name ask for; what is left out has the default of its form.

    Raises:
        InvalidConfigError: a name is unknown, or a value is outside its range.

    Example:
        >>> tuning_of({"form": "paper", "radius": 3}).propagation.radius
        3
    """
    if not isinstance(settings, Mapping):
        raise InvalidConfigError(f"settings are {shortened(repr(settings))}; they must be an object of names")
    values: dict[str, Any] = {name: math.inf if value == "inf" else value for name, value in settings.items()}
    form = values.pop("form", "adaptive")
    if form not in FORMS:
        raise InvalidConfigError(f"form is {shortened(repr(form))}; it must be one of {', '.join(FORMS)}")
    threshold = values.pop("score_threshold", SHOWN_FROM)
    check_range("score_threshold", threshold, PropagationConfig.score_threshold, 1)
    names = [each.name for each in fields(AdaptationConfig)]
    for name in values:
        if name not in (*_HEATMAP, "carries", *names):
            raise InvalidConfigError(f"there is no setting {shortened(repr(name))}; see /api/about")
    threshold = round(float(threshold), 6)
    kept = ("radius", "least_radius", "holds_peaks")
    values = {
        name: round(float(value), 6) if type(value) in (int, float) and name not in kept else value
        for name, value in values.items()
    }
    if form == "none":
        return Tuning(None, threshold)
    chosen: dict[str, Any] = {name: values[name] for name in _HEATMAP if name in values}
    config = replace(PropagationConfig.paper(), **chosen)
    if form == "paper":
        return Tuning(replace(config, carries=values.get("carries", config.carries)), threshold)
    adaptation = AdaptationConfig(**{name: values[name] for name in names if name in values})
    return Tuning(replace(config, adaptation=adaptation), threshold)


def described_settings() -> list[dict[str, Any]]:
    """Return every setting as the page shows it: name, label, group, help, kind, range and defaults."""
    paper, adaptive = Tuning(PropagationConfig.paper()).to_json(), Tuning().to_json()
    heatmap_help, adaptation_help = _attributes(PropagationConfig), _attributes(AdaptationConfig)
    described = [
        _described("form", "show", "Form of propagation; none shows the network alone.", choices=FORMS),
        _described("score_threshold", "show", "Detections below it are not shown."),
        *(_described(name, "paper", heatmap_help[name]) for name in _HEATMAP[:-1]),
        _described("nms_iou", "paper", _attributes(PropagationConfig.__base__)["nms_iou"]),
        _described("carries", "paper", heatmap_help["carries"], choices=get_args(Carries)),
        *(_described(each.name, "adaptive", adaptation_help[each.name]) for each in fields(AdaptationConfig)),
    ]
    for each in described:
        each["default"] = {"paper": paper[each["name"]], "adaptive": adaptive[each["name"]]}
        if isinstance(each["default"]["adaptive"], bool):
            each["kind"] = "switch"
            del each["min"], each["max"], each["step"]
    return described


def _described(name: str, group: str, text: str, choices: tuple[str, ...] = ()) -> dict[str, Any]:
    label = _LABELS.get(name, name.replace("_", " ").capitalize())
    said = {"name": name, "label": label, "group": group, "help": text[:1].upper() + text[1:]}
    if choices:
        return {**said, "kind": "choice", "choices": list(choices)}
    least, most, step = _STEPS.get(name, (0, 1, 0.01))
    return {**said, "kind": "range", "min": least, "max": most, "step": step}


def _attributes(kind: Any) -> dict[str, str]:
    """Return what the docstring of a dataclass says of each attribute, without Markdown."""
    said = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].partition("\nRaises:")[0]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", said, re.MULTILINE)
    return {name: re.sub(r"`(?:\w+\.)?(\w+)`", r"\1", " ".join(text.split())) for name, text in found}
