"""``seqinfo.ini``: how long a MOTChallenge sequence is, and where its images are."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

from heatprop.errors import UnfitFileError
from heatprop.io.regular_files import LARGEST_SETTINGS, read_regular
from heatprop.lab.datasets.annotations import DatasetError, leads_out

INFO_NAME = "seqinfo.ini"


@dataclass(frozen=True, slots=True)
class SequenceInfo:
    """What ``seqinfo.ini`` says.

    Attributes:
        image_folder: name of the folder of the images, usually ``img1``.
        suffix: of the images, such as ``.jpg``.
        length: how many frames there are.
        width: of the images, in pixels.
        height: likewise.
    """

    image_folder: str
    suffix: str
    length: int
    width: int
    height: int


def read_info(folder: Path) -> SequenceInfo:
    """Return what ``seqinfo.ini`` says of a sequence.

    Raises:
        DatasetError: it is missing, or lacks something.
    """
    path = folder / INFO_NAME
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_regular(path, LARGEST_SETTINGS).decode("utf-8-sig"))
        section = parser["Sequence"]
        numbers = [int(section[name]) for name in ("seqLength", "imWidth", "imHeight")]
    except OSError as error:
        remedy = error.remedy if isinstance(error, UnfitFileError) else "restore it"
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except (configparser.Error, UnicodeDecodeError):
        raise DatasetError(f"{path}: has no section [Sequence] that can be read; restore it") from None
    except KeyError as error:
        raise DatasetError(f"{path}: {error} is missing; a sequence needs it") from None
    except ValueError:
        raise DatasetError(f"{path}: seqLength, imWidth and imHeight must be whole numbers") from None
    length, width, height = numbers
    if min(numbers) < 1 or length >= 1 << 31:
        raise DatasetError(
            f"{path}: seqLength is {length}, imWidth {width}, imHeight {height}; each must be at least 1"
        )
    image_folder, suffix = section.get("imDir", "img1"), section.get("imExt", ".jpg")
    for name, value in (("imDir", image_folder), ("imExt", suffix)):
        if leads_out(value):
            raise DatasetError(f"{path}: {name} is {value!r:.60}, which leads out of the sequence")
    return SequenceInfo(image_folder, suffix if suffix.startswith(".") else f".{suffix}", length, width, height)
