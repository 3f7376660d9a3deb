"""Several videos at once: one network serves them all, each has its own propagation."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Concatenate, ParamSpec, TypeAlias, cast

from heatprop.detector import Source, StageTimings, VideoDetector, opened
from heatprop.errors import InvalidConfigError, SourceError, check_count
from heatprop.io import VideoSource
from heatprop.io.addresses import camera_named, is_address, path_named, shown
from heatprop.pipeline import merge
from heatprop.types import Detections, Frame

_Parameters = ParamSpec("_Parameters")
_Found: TypeAlias = Generator[tuple[Frame, Detections], None, None]


class SourcesError(SourceError):
    """Some of several sources failed; the others went on to their end.

    Attributes:
        errors: what each failed source raised, by its place in the sequence.
    """

    def __init__(self, message: str, errors: Mapping[int, Exception]) -> None:
        super().__init__(message)
        self.errors = dict(errors)


class _NoPlaceLeftError(InvalidConfigError):
    """Live sources hold all places for good, and others wait."""


def _with_parameters_of(
    kind: Callable[_Parameters, object],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, _Parameters], None]]:
    def give(method: Callable[..., None]) -> Callable[Concatenate[Any, _Parameters], None]:
        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        known = inspect.signature(kind).parameters.values()
        method.__signature__ = inspect.Signature([own, *known], return_annotation=None)  # type: ignore[attr-defined]
        return cast(Callable[Concatenate[Any, _Parameters], None], method)

    return give


class MultiStreamDetector:
    """Finds objects in several videos, cameras or folders at once.

    The model is loaded once and the network's threads are shared; each source has a propagation of its own, so
    that what is found in it is what `VideoDetector.stream` finds in it alone.

    Args:
        arguments: those of `VideoDetector`, with the same defaults and errors.
        settings: those of `VideoDetector`.

    Attributes:
        detector: the detector that serves all sources.
    """

    @_with_parameters_of(VideoDetector)
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self.detector = VideoDetector(*arguments, **settings)

    def stream(
        self,
        sources: Sequence[Source],
        *,
        at_once: int = 4,
        on_error: Callable[[int, Exception], None] | None = None,
    ) -> Generator[tuple[int, Frame, Detections], None, None]:
        """Detect in all sources, and yield the frames as they come.

        No source waits for a slow one; the order within a source is kept. A few frames of each open source are in
        memory, whatever their number and length. Leaving the loop early stops all and closes what was opened.

        A source that cannot be opened, or that breaks on the way, does not end the others. They go on to their
        end, which live ones may not have: give `on_error` to hear of it at once.

        Args:
            sources: each what `heatprop.open_video` takes, or an open `VideoSource`.
            at_once: at most so many are open at a time. Files are opened in their order, as places become free.
                A live source (`SourceInfo.is_live`) is opened at once and keeps its place, so `at_once` must be
                at least their number, and one more where there are files beside them.
            on_error: called with the place of a source that failed and its error, and then nothing is raised
                for it. It is called in the thread that goes through the frames; what it raises ends all.

        Yields:
            The place of the source in `sources`, from 0; the frame; and boxes in its pixels by falling score.

        Raises:
            SourcesError: at the end, when there is no `on_error`: some sources failed; it names each.
            InvalidConfigError: `at_once` is below 1, or too small for the live sources. Whether an ``http``
                address is live shows when it is opened.

        Example:
            >>> detector = MultiStreamDetector("mb3-coco")
            >>> for number, frame, found in detector.stream(["gone.mp4"], on_error=lambda *error: print(*error)):
            ...     print(number, frame.index, len(found))
            0 gone.mp4: no such file; check the path
        """
        check_count("at_once", at_once, 1)
        if isinstance(sources, str | os.PathLike | int):
            raise InvalidConfigError(f"sources is {str(sources)!r}; give a list, also of one")
        places = _Places(sources, at_once)
        order = places.order
        errors: dict[int, Exception] = {}

        def note(place: int, error: Exception) -> None:
            if isinstance(error, _NoPlaceLeftError):
                raise error
            if on_error is None:
                errors[order[place]] = error
            else:
                on_error(order[place], error)

        streams = [self._stream(sources[number], places) for number in order]
        with closing(merge(streams, at_once, note)) as merged:
            for place, (frame, found) in merged:
                yield order[place], frame, found
        if errors:
            raise _all_in_one(sources, errors)

    def _stream(self, source: Source, places: _Places) -> _Found:
        places.begin()
        with (
            opened(source) as video,
            places.taken(source, is_live=video.info.is_live),
            closing(self.detector.stream(video, timings=StageTimings())) as stream,
        ):
            yield from stream


class _Places:
    """Who may be open at a time: live sources first, as they keep their places for good."""

    def __init__(self, sources: Sequence[Source], at_once: int) -> None:
        live = [number for number, source in enumerate(sources) if is_live_by_name(source)]
        files = [number for number in range(len(sources)) if number not in set(live)]
        needed = len(live) + bool(files)
        if live and needed > at_once:
            beside = f", beside {len(files)} other sources" if files else ""
            raise InvalidConfigError(
                f"at_once is {at_once}, and {len(live)} sources are live{beside}; they must all run at once, "
                f"so give at_once of at least {needed}"
            )
        self.order = live + files
        self._at_once = at_once
        self._lock = threading.Lock()
        self._waiting = len(sources)
        self._live = 0

    def begin(self) -> None:
        """Note that a source waits no more."""
        with self._lock:
            self._waiting -= 1

    @contextmanager
    def taken(self, source: Source, *, is_live: bool) -> Iterator[None]:
        """Note that a source is open.

        Raises:
            InvalidConfigError: it is live, and with it no place is left for those that wait.
        """
        with self._lock:
            self._live += is_live
            live, waiting = self._live, self._waiting
        try:
            if is_live and waiting and live >= self._at_once:
                raise _NoPlaceLeftError(
                    f"at_once is {self._at_once}, and with {_name(source)} {live} of the sources are live: "
                    f"no place is left for {waiting} more; give a larger at_once"
                )
            yield
        finally:
            with self._lock:
                self._live -= is_live


def is_live_by_name(source: Source) -> bool:
    """Return whether a source is known to be live before it is opened; of an ``http`` address it is not.

    Example:
        >>> [is_live_by_name(source) for source in (0, "camera:1", "rtsp://10.0.0.7/door", "street.mp4")]
        [True, True, True, False]
    """
    if isinstance(source, VideoSource):
        return source.info.is_live
    name = str(source)
    if isinstance(source, int) or camera_named(name) is not None:
        return True
    if is_address(name):
        return not name.lower().startswith("http")
    path = path_named(name)
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _all_in_one(sources: Sequence[Source], errors: Mapping[int, Exception]) -> SourcesError:
    told = []
    for number in sorted(errors):
        name, text = _name(sources[number]), str(errors[number])
        told.append(text if name in text else f"{name}: {text}")
    joined = SourcesError(f"{len(errors)} of {len(sources)} sources failed: {'; '.join(told)}", errors)
    joined.__cause__ = ExceptionGroup("what the sources raised", [errors[number] for number in sorted(errors)])
    return joined


def _name(source: Source) -> str:
    return source.info.name if isinstance(source, VideoSource) else shown(str(source))
