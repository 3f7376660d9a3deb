"""OpenCV's log level is as before after the last thread has left, in whatever order they leave."""

import cv2

from heatprop.io.silence import opencv_silence


def test_streams_that_overlap_leave_the_level_as_it_was() -> None:
    level = cv2.utils.logging.getLogLevel()
    silent = cv2.utils.logging.LOG_LEVEL_SILENT
    assert level != silent
    first, second = opencv_silence(), opencv_silence()
    try:
        with first:
            second.__enter__()
        assert cv2.utils.logging.getLogLevel() == silent
        second.__exit__(None, None, None)
        assert cv2.utils.logging.getLogLevel() == level
    finally:
        cv2.utils.logging.setLogLevel(level)
