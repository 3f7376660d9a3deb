"""OpenCV's log level is as before after the last thread has left, in whatever order they leave."""

from heatprop.io.silence import LOGGING, SILENT, opencv_silence


def test_streams_that_overlap_leave_the_level_as_it_was() -> None:
    level = LOGGING.getLogLevel()
    assert level != SILENT
    first, second = opencv_silence(), opencv_silence()
    try:
        with first:
            second.__enter__()
        assert LOGGING.getLogLevel() == SILENT
        second.__exit__(None, None, None)
        assert LOGGING.getLogLevel() == level
    finally:
        LOGGING.setLogLevel(level)
