"""The pictures of the objects, as an output of `heatprop detect`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from heatprop.io.crop_folder import LIST, CropFolder, earlier_pictures
from heatprop.io.outputs import OutputFile
from heatprop.io.results_header import ResultsHeader
from heatprop.types import Detections, ImageArray


class CropOutput:
    """A folder of crops whose list is claimed before work begins.

    Args:
        folder: exists.
        sample_aspect_ratio: of the source.
        overwrite: whether those of an earlier run may be replaced.

    Attributes:
        folder: as given.

    Raises:
        OutputError: there are crops already, or the folder cannot be written.
    """

    def __init__(self, folder: Path, sample_aspect_ratio: Fraction, *, overwrite: bool) -> None:
        self.folder = folder
        self._ratio, self._overwrite = sample_aspect_ratio, overwrite
        if folder.is_dir():  # else it is refused where the list is claimed
            earlier_pictures(folder, overwrite=overwrite)
        self._claimed = OutputFile(folder / LIST, overwrite=overwrite)
        self._writer: CropFolder | None = None

    def begin(self, header: ResultsHeader) -> None:
        """Write the header of the list.

        Raises:
            OutputError: it cannot be written.
        """
        self._writer = CropFolder(
            self._claimed, header, overwrite=self._overwrite, sample_aspect_ratio=self._ratio
        )

    def write(self, index: int, time: float, image: ImageArray, detections: Detections) -> None:
        """Look at the next frame.

        Raises:
            OutputError: a picture cannot be written.
        """
        if self._writer is not None:
            self._writer.write(index, time, image, detections)

    def close(self, *, complete: bool) -> None:
        """Write the pictures of the objects still in view, and name the list.

        Raises:
            OutputError: one cannot be written.
        """
        if self._writer is not None:
            self._writer.close(complete=complete)

    def discard(self) -> None:
        """Leave neither pictures of this run nor its list behind."""
        for output in (self._writer, self._claimed):
            if output is not None:
                output.discard()
