"""How an annotated video is drawn: the options of every command that draws one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from heatprop.drawing import LABEL_PARTS, ColourBy, LabelPart, Trails
from heatprop.drawing.boxes import WIDEST_LINE
from heatprop.errors import InvalidConfigError, check_count, check_range

LONGEST_TRAIL = 3600.0


@dataclass(frozen=True, slots=True)
class DrawingOptions:
    """How the video is drawn."""

    colour_by: ColourBy = "class"
    """In the video, give each class its colour, or each id."""
    line_width: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="")] = None
    """In the video, width of the boxes' lines; default: one that fits the image."""
    label_parts: Annotated[
        tuple[LabelPart, ...] | None, tyro.conf.arg(metavar="PART [PART ...]", help_behavior_hint="")
    ] = None
    """In the video, what the tag of an object says, in this order: name, id, score, length (frames that it was
    followed for). Default: name score. Write SOURCE before it."""
    no_labels: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """In the video, boxes without tags."""
    trails: Annotated[float | None, tyro.conf.arg(metavar="SECONDS", help_behavior_hint="")] = None
    """In the video, show where each object went in the last seconds: the middle of its box's lower side."""

    def check(self, *, has_video: bool = True, has_ids: bool = True) -> None:
        """Raise InvalidConfigError where a value lies outside its range, or options do not go together.

        Args:
            has_video: whether a video is drawn.
            has_ids: whether objects have ids.
        """
        if self.line_width is not None:
            check_count("--line-width", self.line_width, 1, WIDEST_LINE)
        if self.trails is not None:
            check_range("--trails", self.trails, 0, LONGEST_TRAIL)
        if self.label_parts == ():
            raise InvalidConfigError("--label-parts names none; write --no-labels for boxes without tags")
        if self.label_parts is not None and self.no_labels:
            raise InvalidConfigError("--no-labels contradicts --label-parts; drop one of them")
        needs_ids = {
            "--colour-by id": self.colour_by == "id",
            "--trails": self.trails is not None,
            "--label-parts id": "id" in self.parts,
            "--label-parts length": "length" in self.parts,
        }
        given = {
            **needs_ids,
            "--line-width": self.line_width is not None,
            "--label-parts": self.label_parts is not None,
            "--no-labels": self.no_labels,
        }
        for option, is_given in given.items():
            if is_given and not has_video:
                raise InvalidConfigError(f"{option} is for the video; add -o OUT.mp4")
            if is_given and not has_ids and option in needs_ids:
                raise InvalidConfigError(f"{option} needs ids, which propagation gives; drop --no-propagation")

    @property
    def parts(self) -> tuple[LabelPart, ...]:
        """What tags say; nothing for no tags."""
        return () if self.no_labels else LABEL_PARTS if self.label_parts is None else self.label_parts

    def new_trails(self) -> Trails | None:
        """Return the trails of one video, at its beginning; None for none."""
        return None if self.trails is None else Trails(self.trails)

    def settings(self) -> dict[str, Any]:
        """Return what the header of a video says of it: what is not as usual."""
        return {
            **({} if self.colour_by == "class" else {"colour_by": self.colour_by}),
            **({} if self.line_width is None else {"line_width": self.line_width}),
            **({} if self.parts == LABEL_PARTS else {"label_parts": self.parts}),
            **({} if self.trails is None else {"trails": self.trails}),
        }
