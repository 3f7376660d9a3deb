"""What the page shows of a run, over HTTP: its video, single frames, and detections."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from heatprop.app.answers import library_of, number_in, run_of
from heatprop.app.columns import MOST_FRAMES, range_of_columns
from heatprop.app.kept_frames import CHUNK_FRAMES
from heatprop.app.library import RunStateError
from heatprop.app.proxy import as_jpeg, read_frames
from heatprop.app.run import Run
from heatprop.app.views import found_between
from heatprop.errors import InvalidConfigError
from heatprop.types import ImageArray


def video(request: Request) -> Response:
    """Answer with the proxy, or the part of it that was asked for."""
    run = run_of(request)
    if run.is_at_work:
        raise RunStateError(f"the run is {run.record.state}; its video is there when it has ended")
    run.join_proxy()
    if not run.folder.proxy.exists():
        raise RunStateError("the run has no frames")
    return FileResponse(run.folder.proxy, media_type="video/mp4")


def frame(request: Request) -> Response:
    """Answer with a frame; while the run is at work with the newest, where its chunk is not whole yet."""
    run, number = run_of(request), request.path_params["number"]
    return Response(as_jpeg(image_of(run, number)), media_type="image/jpeg")


def image_of(run: Run, number: int) -> ImageArray:
    """Return a frame of the proxy, uint8 ``(H, W, 3)`` RGB.

    Raises:
        RunStateError: there is none.
        DamagedRunError: the proxy is damaged.
    """
    if not 0 <= number < max(run.frames, 1):
        raise RunStateError(f"there is no frame {number}; the run has {run.frames} so far")
    newest, chunk = run.newest, number // CHUNK_FRAMES
    segment = run.folder.segment(chunk)
    if run.folder.proxy.exists():
        images = read_frames(run.folder.proxy, number, number + 1)
    elif segment.exists():
        place = number % CHUNK_FRAMES
        images = read_frames(segment, place, place + 1)
    else:
        images = iter(() if newest is None else (newest.image,))
    image = next(images, None)
    if image is None:
        raise RunStateError(f"frame {number} is not there yet")
    return image


def detections(request: Request) -> Response:
    """Answer with the detections in a range of frames."""
    run = run_of(request)
    start = number_in(request, "from", 0)
    stop = number_in(request, "to", start + MOST_FRAMES)
    if not 0 <= stop - start <= MOST_FRAMES:
        raise InvalidConfigError(f"frames {start} to {stop} are asked for; ask for {MOST_FRAMES} at most")
    found = found_between(library_of(request), run, request.query_params.get("key", ""), start, stop)
    return JSONResponse(range_of_columns(start, found))
