"""What is known of the ids seen last: of a bounded number of them, however long a video is."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Known = TypeVar("Known")

MOST_IDS = 10_000


class RecentIds(Generic[Known]):
    """A value for each of the `most` ids that were seen last; the one unseen for longest is forgotten first.

    Args:
        most: how many are known at a time.

    Example:
        >>> known = RecentIds[str](most=2)
        >>> for number in (1, 2, 1, 3):
        ...     known.put(number, f"seen as {number}")
        >>> known.get(1), known.get(2)
        ('seen as 1', None)
    """

    def __init__(self, most: int = MOST_IDS) -> None:
        self._most = most
        self._known: OrderedDict[int, Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, number: int) -> Known | None:
        """Return what is known of an id; None where it was not seen, or not lately."""
        return self._known.get(number)

    def put(self, number: int, value: Known) -> None:
        """Note what is known of an id, which is seen now."""
        self._known[number] = value
        self._known.move_to_end(number)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
