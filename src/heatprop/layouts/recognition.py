"""Which family a file is of: by names, shapes and metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from heatprop.errors import LayoutError, perhaps
from heatprop.layouts import (
    corners,
    detr,
    efficientdet,
    nanodet,
    picodet,
    retinanet,
    rfdetr,
    rtdetr,
    rtmdet,
    ssd,
    torchvision,
    yolo_end2end,
    yolov5,
    yolov8,
    yolox,
)
from heatprop.layouts.base import Confidence, Layout, Match
from heatprop.layouts.class_names import default_names, names_given
from heatprop.layouts.signature import Signature, TensorInfo
from heatprop.letterbox import InputFormat

AUTO = "auto"
_FAMILIES = {
    layout.name: layout
    for layout in (
        yolov5.LAYOUT,
        yolov8.LAYOUT,
        yolo_end2end.LAYOUT,
        yolox.LAYOUT,
        corners.LAYOUT,
        nanodet.LAYOUT,
        nanodet.LAYOUT_PLUS,
        picodet.LAYOUT,
        rtmdet.LAYOUT,
        rtdetr.LAYOUT,
        rtdetr.LAYOUT_END2END,
        rfdetr.LAYOUT,
        detr.LAYOUT,
        ssd.LAYOUT,
        retinanet.LAYOUT,
        efficientdet.LAYOUT,
        torchvision.LAYOUT,
    )
}
_SURENESS: tuple[Confidence, ...] = ("certain", "likely", "possible")
_OTHER_TASKS = {"segment": "segmentation", "pose": "pose", "obb": "rotated boxes", "classify": "classification"}


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a file was taken for.

    Attributes:
        layout: the family.
        confidence: how sure that is; "told" where a person named the family.
        reason: why, in words.
        classes: their names.
        input: what the file wants.
        outputs: of the file, for one image.
    """

    layout: Layout
    confidence: Confidence
    reason: str
    classes: tuple[str, ...]
    input: InputFormat
    outputs: tuple[TensorInfo, ...]


def names() -> list[str]:
    """Return the names of the families.

    Example:
        >>> "yolox" in names()
        True
    """
    return list(_FAMILIES)


def get(name: str) -> Layout:
    """Return a family by name.

    Raises:
        LayoutError: there is none of that name.
    """
    if name not in _FAMILIES:
        known = [AUTO, *_FAMILIES]
        advice = perhaps(name.lower()[:40], known)
        raise LayoutError(f"layout {name[:40]!r} is unknown; choose one of {', '.join(known)}{advice}")
    return _FAMILIES[name]


def recognise(
    inputs: Iterable[TensorInfo],
    outputs: Iterable[TensorInfo],
    metadata: Mapping[str, str],
    *,
    measured_at: tuple[int, int] | None = None,
    layout: str = AUTO,
    classes: tuple[str, ...] | None = None,
) -> Recognition:
    """Return which family a network is of, what its classes are called and what its input is.

    Args:
        inputs: as the file has them.
        outputs: with all sides known.
        metadata: text by key.
        measured_at: height and width of the input for which the outputs have these sides; None where the file
            fixes them.
        layout: the family, where a person knows it.
        classes: names, where a person knows better than the file; one for each class that the outputs have.

    Raises:
        LayoutError: it is no detector, or of no known family, or may be of several, or not of `layout`, or has
            another number of classes.
    """
    inputs, outputs = tuple(inputs), tuple(outputs)
    image = image_input(inputs)
    fixed = (image.shape[-2], image.shape[-1])
    height, width = measured_at or (fixed[0] or 0, fixed[1] or 0)
    in_file = metadata
    if classes is not None:
        metadata = {**metadata, "names": repr(list(classes))}
    signature = Signature(inputs, outputs, height, width, metadata)
    _refuse_other_tasks(signature)
    find = _best if layout == AUTO else partial(_told, name=layout)
    try:
        family, match = find(signature)
    except LayoutError:
        if classes is not None:
            _refuse_wrong_number(len(classes), find(replace(signature, metadata=in_file))[1])
        raise
    class_names = _class_names(signature, match, is_told=classes is not None)
    form = match.input or family.input
    return Recognition(family, match.confidence, match.reason, class_names, _sized(form, fixed, metadata), outputs)


def _refuse_wrong_number(given: int, match: Match) -> None:
    """Raise LayoutError where names are the only thing that does not fit."""
    if match.classes not in (None, given):
        raise LayoutError(f"{names_given(given)}, but the outputs have {match.classes} classes")


def image_input(inputs: Iterable[TensorInfo]) -> TensorInfo:
    """Return the input that takes the image: N x 3 x height x width, or without N.

    Raises:
        LayoutError: there is none, or more than one.
    """
    inputs = tuple(inputs)
    images = [
        each
        for each in inputs
        if (len(each.shape) == 4 and each.shape[1] in (3, None)) or (len(each.shape) == 3 and each.shape[0] == 3)
    ]
    if len(images) != 1:
        shown = ", ".join(map(str, inputs)) or "none"
        raise LayoutError(
            f"the inputs are {shown}; a detector takes one image as N x 3 x height x width: export it in that form"
        )
    return images[0]


def _refuse_other_tasks(signature: Signature) -> None:
    """Raise LayoutError for networks that find something else than upright boxes."""
    task = _OTHER_TASKS.get(signature.metadata.get("task", "").lower())
    words = {
        "mask": "segmentation",
        "proto": "segmentation",
        "keypoint": "pose",
        "kpt": "pose",
        "angle": "rotated boxes",
    }
    task = task or next((words[w] for each in signature.output_names for w in words if w in each), None)
    if task is None and len(signature.tables) == 1 and len(signature.maps) == 1:
        task = "segmentation"
    if task is not None:
        raise LayoutError(
            f"the outputs {signature.described()} are for {task}, and heatprop takes detectors of boxes alone; "
            "export one that detects"
        )


def _told(signature: Signature, name: str) -> tuple[Layout, Match]:
    family = get(name)
    match = family.match(signature)
    if match is None:
        others = [layout.name for layout, _ in _matches(signature)]
        advice = f"perhaps {' or '.join(others)}" if others else "check --class-names, or export it again"
        raise LayoutError(f"the outputs {signature.described()} do not fit layout {name!r}; {advice}")
    return family, match


def _best(signature: Signature) -> tuple[Layout, Match]:
    found = _matches(signature)
    for sureness in _SURENESS[:2]:
        best = [each for each in found if each[1].confidence == sureness]
        if len(best) == 1:
            return best[0]
        if best:
            found = best
            break
    if len(found) == 1:
        name = found[0][0].name
        raise LayoutError(
            f"the outputs {signature.described()} may be of layout {name!r}, but nothing in the file says so; "
            f"give --layout {name} if they are"
        )
    if found:
        possible = " or ".join(f"--layout {layout.name}" for layout, _ in found)
        raise LayoutError(f"the outputs {signature.described()} may be of several families; give {possible}")
    raise LayoutError(
        f"the outputs {signature.described()} are of no family that heatprop knows; say which with --layout "
        f"({', '.join(_FAMILIES)}), with as many --class-names as there are classes"
    )


def _matches(signature: Signature) -> list[tuple[Layout, Match]]:
    found = [(layout, layout.match(signature)) for layout in _FAMILIES.values()]
    return [(layout, match) for layout, match in found if match is not None]


def _class_names(signature: Signature, match: Match, *, is_told: bool) -> tuple[str, ...]:
    """Return a name for each class; where names in metadata are too few, the rest are numbered."""
    named = signature.names
    if match.classes is None:
        return named or default_names(80)
    if named is None or len(named) == match.classes:
        return named or default_names(match.classes)
    if len(named) == match.classes - 1 and match.confidence == "certain":
        return (*named, "no object")
    if len(named) == match.classes - 1:
        return ("background", *named)
    if is_told:
        _refuse_wrong_number(len(named), match)
    return default_names(match.classes)


def _sized(form: InputFormat, fixed: tuple[int | None, int | None], metadata: Mapping[str, str]) -> InputFormat:
    """Return the input's format with the size that the file fixes, or names in its metadata."""
    height, width = fixed
    if height and width:
        longest = max(height, width)
        return replace(form, longest_side=longest, multiple=longest, fixed_size=(height, width))
    digits = "".join(c if c.isdecimal() else " " for c in metadata.get("imgsz", "")).split()
    longest = max(map(int, digits), default=0)
    if form.multiple <= longest <= 4096 and longest % form.multiple == 0:
        return replace(form, longest_side=longest)
    return form
