"""Numbers of objects as they are shown: 0, 1, 2 ..., in the order in which each is shown first.

Propagation also follows what is too weak to be shown, and gives it ids. Whoever counts people wants the third one
to be number 2, not 543.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from heatprop.types import Detections, IntArray

_SPARE = 100  # ids that are kept although they never come again: to look for them in each frame would cost more


def _no_ids() -> IntArray:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Numbering:
    """The numbers that the ids of a video have so far.

    Attributes:
        ids: those that have one and may be shown again, ascending, int64 ``(N,)``.
        numbers: of each, int64 ``(N,)``.
        next_number: of the next object that is shown.

    Example:
        >>> shown = Detections([[0, 0, 4, 4], [5, 0, 9, 4]], [0.9, 0.5], [0, 0], track_ids=[7, 3])
        >>> numbered, numbering = Numbering().numbered(shown)
        >>> numbered.track_ids.tolist(), numbering.next_number
        ([0, 1], 2)
    """

    ids: IntArray = field(default_factory=_no_ids)
    numbers: IntArray = field(default_factory=_no_ids)
    next_number: int = 0

    def numbered(self, shown: Detections) -> tuple[Detections, Numbering]:
        """Return detections with numbers in place of ids, and the numbering after them; -1 stays."""
        wanted = shown.track_ids
        places, is_known = self._places(wanted)
        is_new = ~is_known & (wanted >= 0)
        if is_new.any():
            numbering = self._with(wanted[is_new])
            places, is_known = numbering._places(wanted)
        else:
            numbering = self
        numbers = np.full(len(wanted), -1)
        numbers[is_known] = numbering.numbers[places[is_known]]
        return replace(shown, track_ids=numbers), numbering

    def kept(self, ids: IntArray) -> Numbering:
        """Return the numbering of some ids at least, where the others never come again."""
        if len(self.ids) < 2 * len(ids) + _SPARE:
            return self
        stays = np.isin(self.ids, ids)
        return Numbering(self.ids[stays], self.numbers[stays], self.next_number)

    def _places(self, wanted: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
        """Return where ids stand among these, and which of them do."""
        if not len(self.ids):
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
        places = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return places, self.ids[places] == wanted

    def _with(self, new: IntArray) -> Numbering:
        ids = np.concatenate([self.ids, new])
        numbers = np.concatenate([self.numbers, self.next_number + np.arange(len(new))])
        order = np.argsort(ids)
        return Numbering(ids[order], numbers[order], self.next_number + len(new))
