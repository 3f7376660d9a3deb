"""Settings of decoding and propagation: the only place where their defaults stand."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf
from typing import Literal, Self, TypeAlias, get_args

from heatprop.errors import InvalidConfigError, check_count, check_range

Carries: TypeAlias = Literal["balanced", "network"]
MAX_RADIUS = 128  # the side of the paper's grid: further nothing can go there
MAX_MEMORY = 10_000  # minutes of video
MAX_DETECTIONS = 1000  # ten times the paper's: suppression compares all with all


def _keep_count(config: object, name: str, least: int, most: int) -> None:
    """Check a whole number, and keep it as Python's: one of NumPy's may be too small to reckon with."""
    check_count(name, getattr(config, name), least, most)
    object.__setattr__(config, name, int(getattr(config, name)))


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How detections are taken from a heatmap.

    Attributes:
        score_threshold: detections below it are dropped; in [0, 1].
        max_detections: how many peaks a frame may give, over all classes, before suppression; from 1 to 1000.
        nms_iou: of two boxes of a class that overlap by more than this, the weaker goes; 1 keeps all.

    Raises:
        InvalidConfigError: a value lies outside its range.
    """

    score_threshold: float = 0.05
    max_detections: int = 100
    nms_iou: float = 0.3

    def __post_init__(self) -> None:
        check_range("score_threshold", self.score_threshold, 0, 1)
        check_range("nms_iou", self.nms_iou, 0, 1)
        _keep_count(self, "max_detections", 1, MAX_DETECTIONS)


@dataclass(frozen=True, kw_only=True)
class AdaptationConfig:
    """How propagation adapts; each part can be switched off alone.

    Attributes:
        velocity: share of an object's last step in its velocity, in [0, 1]; 0 expects every object where it was.
        least_radius: how many cells around its expected place an object is looked for while its motion is foreseen
            well; from 0 to 128. Where it is not, or not known yet, up to `PropagationConfig.radius`; given here
            too, that holds for all.
        nearness: how much of its score a cell must be better for each squared cell of distance, to be taken for
            the object; at most 1000. 0 leaves distance aside.
        min_iou: what the network sees there must overlap the expected box so much to be the object, in [0, 1]; 0
            takes anything.
        second_chance: share of its score that the network must see in a peak of its own, farther away than an
            object was looked for, to be taken for it after all where it is lost; up to `PropagationConfig.radius`,
            and with half of `min_iou`. In [0, 1]; 0 looks no farther.
        support: share of an object's score that the network must see for its past to count in full, in [0, 1]; 0
            asks for nothing.
        decay: by which the weight of the past is multiplied where the network sees nothing at all, in [0, 1]; 1
            forgets no faster than the paper.
        max_length: tracklet length from which the past counts no more; at least 0, which carries nothing, and
            `math.inf` allowed.
        rising_weight: by which the weight of the past is multiplied where the network sees more, in [0, 1]; 1
            lets scores go up as slowly as they go down.
        boost: how far the carried score is drawn to the best that the network gave the object lately, where it
            sees a detection of its own, in [0, 1]; 0 does not.
        best_decay: how far that best score is drawn to the balanced one in each frame, in [0, 1]; with 0 it is
            the best ever, and something faint in its place can keep an object that left for ever.
        leaving: by which the weight of the past is multiplied for an object that loses score on its way over the
            border of the image, in [0, 1]; 1 makes no difference.
        leaving_speed: cells a frame above which it is on its way.
        trust: how much more the network's size counts than the carried one, at equal scores; at most 1000. Scores
            weigh squared. 0 is the paper's equation 7.
        holds_peaks: whether the cells around one that is lowered are lowered too, so that a broad peak stays where
            its object is.

    Raises:
        InvalidConfigError: a value lies outside its range.
    """

    velocity: float = 0.5
    least_radius: int = 1
    nearness: float = 0.01
    min_iou: float = 0.3
    second_chance: float = 0.5
    support: float = 0.1
    decay: float = 0.8
    max_length: float = 5
    rising_weight: float = 0.8
    boost: float = 0.1
    best_decay: float = 0.05
    leaving: float = 0.5
    leaving_speed: float = 1.0
    trust: float = 2.0
    holds_peaks: bool = True

    def __post_init__(self) -> None:
        _keep_count(self, "least_radius", 0, MAX_RADIUS)
        shares = (
            "velocity",
            "min_iou",
            "second_chance",
            "support",
            "decay",
            "rising_weight",
            "boost",
            "best_decay",
            "leaving",
        )
        for name in shares:
            check_range(name, getattr(self, name), 0, 1)
        for name in ("max_length", "leaving_speed"):
            check_range(name, getattr(self, name), 0, inf)
        for name in ("nearness", "trust"):
            check_range(name, getattr(self, name), 0, 1000)
        if not isinstance(self.holds_peaks, bool):
            raise InvalidConfigError(f"holds_peaks is {self.holds_peaks!r}; it must be True or False")


@dataclass(frozen=True, kw_only=True)
class IdentityConfig:
    """How objects are told apart from frame to frame. None of this changes a score or a box.

    Attributes:
        memory: for how many frames an object that was strong once keeps its id out of sight; at least 0. One that
            never was is remembered for one frame at most.
        strong: balanced score from which a detection chooses first, in [0, 1].
        seen: the network's own score from which a detection shows where the object is, in [0, 1]; with less it
            keeps the id of its tracklet.
        min_iou: least overlap of a strong detection with the expected box of its object, in [0, 1].
        weak_min_iou: the same for a detection that is not strong.
        same_tracklet: what it is worth, in overlap, that a detection came from the object's tracklet; at most 1.
        doubt: what it costs, in overlap, that an object was never strong; at most 1.
        position_gain: share of the way to where an object is found that its box goes, in [0, 1].
        velocity_gain: share of the same that is added to its velocity, in [0, 1].
        velocity_kept: share of its velocity that an object keeps in each frame out of sight, in [0, 1].

    Raises:
        InvalidConfigError: a value lies outside its range.
    """

    memory: int = 30
    strong: float = 0.4
    seen: float = 0.1
    min_iou: float = 0.2
    weak_min_iou: float = 0.3
    same_tracklet: float = 0.15
    doubt: float = 0.3
    position_gain: float = 0.7
    velocity_gain: float = 0.2
    velocity_kept: float = 0.95

    def __post_init__(self) -> None:
        _keep_count(self, "memory", 0, MAX_MEMORY)
        for item in fields(self):
            if item.name != "memory":
                check_range(item.name, getattr(self, item.name), 0, 1)


@dataclass(frozen=True, kw_only=True)
class PropagationConfig(DecodingConfig):
    """Settings of heatmap propagation; the defaults are the paper's.

    Attributes:
        radius: P, how many cells around a detection's centre its score is carried to; from 0 to 128, the side of
            the paper's grid. Larger follows faster objects, and boosts more of what stands beside an object.
        alpha: share of the long-term heatmap in the balanced one (equation 6); in [0, 1]. 0 turns propagation
            off, 1 never trusts the moment.
        beta: how strongly tracklet length weighs the past (equation 5); at least 0, `math.inf` allowed.
        carries: what a detection hands to the next frame: its "balanced" score and mixed size, as the paper's
            examples have it, or the "network"'s own score and size there, as its interpolation (equation 11).
        adaptation: how objects are followed and forgotten, one by one; None for the paper's squares. `radius` is
            then how far an object is looked for at most, and `carries` is "balanced".
        identity: how objects get their ids.
        score_threshold: see `DecodingConfig`; also the least balanced score that is carried on.
        max_detections: see `DecodingConfig`.
        nms_iou: see `DecodingConfig`.

    Raises:
        InvalidConfigError: a value lies outside its range, or two do not go together.

    Example:
        >>> PropagationConfig(radius=3).peak_window
        7
    """

    radius: int = 2
    alpha: float = 0.98
    beta: float = 2.0
    carries: Carries = "balanced"
    adaptation: AdaptationConfig | None = None
    identity: IdentityConfig = IdentityConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        _keep_count(self, "radius", 0, MAX_RADIUS)
        check_range("alpha", self.alpha, 0, 1)
        check_range("beta", self.beta, 0, inf)
        if self.carries not in get_args(Carries):
            raise InvalidConfigError(f"carries is {self.carries!r}; it must be 'balanced' or 'network'")
        if self.adaptation is not None and not isinstance(self.adaptation, AdaptationConfig):
            raise InvalidConfigError(
                f"adaptation is {self.adaptation!r}; it must be an AdaptationConfig, or None for the paper's form"
            )
        if not isinstance(self.identity, IdentityConfig):
            raise InvalidConfigError(f"identity is {self.identity!r}; it must be an IdentityConfig")
        if self.adaptation is not None and self.carries != "balanced":
            raise InvalidConfigError("adaptation goes with carries 'balanced' only")

    @classmethod
    def paper(cls) -> Self:
        """Return the paper's setting, from sections 4.1 and 5.3; the defaults are the same."""
        return cls(
            radius=2,
            alpha=0.98,
            beta=2.0,
            carries="balanced",
            score_threshold=0.05,
            max_detections=100,
            nms_iou=0.3,
        )

    @classmethod
    def adaptive(cls) -> Self:
        """Return the setting that adapts to each object: steadier in crowds, with fast objects and after cuts."""
        return cls(adaptation=AdaptationConfig())

    @classmethod
    def interpolation(cls) -> Self:
        """Return the baseline of section 5.1: a detected cell is averaged half and half with its last frame.

        That is equation 11 where frame t has a detection. Elsewhere nothing is carried, and equations 5 and 6
        leave the network alone.
        """
        return cls(radius=0, alpha=0.5, beta=inf, carries="network")

    @property
    def peak_window(self) -> int:
        """Side in cells of the window of a peak: ``2 P + 1`` as in section 4.1; 3 for P = 0 or adapting."""
        return 3 if self.adaptation is not None else max(2 * self.radius + 1, 3)


def require_propagation(config: PropagationConfig) -> PropagationConfig:
    """Return settings of propagation as they are.

    Raises:
        InvalidConfigError: they are something else.
    """
    if not isinstance(config, PropagationConfig):
        raise InvalidConfigError(
            f"propagation is {config!r}; give a PropagationConfig, such as PropagationConfig.adaptive()"
        )
    return config
