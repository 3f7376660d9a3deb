"""Several videos at once: one network serves them all, each has its own propagation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Concatenate, ParamSpec, cast

from heatprop.errors import InvalidConfigError, SourceError, check_count
from heatprop.io import VideoSource
from heatprop.io.addresses import shown
from heatprop.io.names import Source, live_by_name
from heatprop.runtime.detector import VideoDetector
from heatprop.runtime.stream import opened
from heatprop.runtime.timings import StageTimings
from heatprop.types import Detections, Frame

AT_ONCE = 4
"""So many files are worked on at a time, if nothing else is asked for."""

_Parameters = ParamSpec("_Parameters")


class SourcesError(SourceError):
    """Some of several sources failed; the others went on to their end.

    Attributes:
        errors: what each failed source raised, by its place in the sequence.
    """

    def __init__(self, message: str, errors: Mapping[int, Exception]) -> None:
        super().__init__(message)
        self.errors = dict(errors)


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
        at_once: int = AT_ONCE,
        on_error: Callable[[int, Exception], None] | None = None,
    ) -> Generator[tuple[int, Frame, Detections], None, None]:
        """Detect in all sources, and yield the frames as they come.

        No source waits for a slow one; the order within a source is kept. A few frames of each open source are in
        memory, whatever their number and length. Leaving the loop early stops all and closes what was opened.

        A source that cannot be opened, or that breaks on the way, does not end the others. They go on to their
        end, which live ones may not have: give `on_error` to hear of it at once.

        Args:
            sources: each what `heatprop.open_video` takes, or an open `VideoSource`.
            at_once: at most so many files are open at a time; they are opened in their order, as places become
                free. Live sources (`SourceInfo.is_live`) have no end to wait for: they all run, beside the files.
            on_error: called with the place of a source that failed and its error, and then nothing is raised
                for it. It is called in the thread that goes through the frames; what it raises ends all.

        Yields:
            The place of the source in `sources`, from 0; the frame; and boxes in its pixels by falling score.

        Raises:
            SourcesError: at the end, when there is no `on_error`: some sources failed; it names each.
            InvalidConfigError: `at_once` is below 1, or `sources` is no list.

        Example:
            >>> detector = MultiStreamDetector("mb3-coco")
            >>> for number, frame, detections in detector.stream(["gone.mp4"], on_error=lambda *e: print(*e)):
            ...     print(number, frame.index, len(detections))
            0 gone.mp4: no such file; check the path
        """
        check_count("at_once", at_once, 1)
        if not isinstance(sources, Sequence) or isinstance(sources, str):
            raise InvalidConfigError(f"sources is {str(sources)!r}; give a list, also of one")
        errors: dict[int, Exception] = {}

        def ended(number: int, error: Exception | None) -> None:
            if error is None:
                return
            if on_error is None:
                errors[number] = error
            else:
                on_error(number, error)

        results = self.detector.stream_all(
            [partial(opened, source) for source in sources],
            [StageTimings() for _ in sources],
            at_once=at_once,
            live=live_by_name(sources),
            on_end=ended,
        )
        with closing(results):
            for result in results:
                yield result.source, result.frame, result.detections
        if errors:
            raise _all_in_one(sources, errors)


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
