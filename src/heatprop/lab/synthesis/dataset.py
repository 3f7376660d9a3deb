"""A whole synthetic dataset: splits of videos, stills, lists; the same for the same settings and seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from heatprop.errors import InvalidConfigError, OutputError, check_count
from heatprop.interrupts import check
from heatprop.io.claims import Claim
from heatprop.io.whole_files import write_json, write_text
from heatprop.lab.manifest_folder import FolderKind, ManifestFolder
from heatprop.lab.synthesis.causes import CAUSES_FILE, Runs, runs_of_causes
from heatprop.lab.synthesis.layout import Place, remove_leftovers, still_name, write_stills, write_video
from heatprop.lab.synthesis.scenes import make_video
from heatprop.lab.synthesis.settings import SceneSettings
from heatprop.lab.synthesis.sprites import load_sprites
from heatprop.lab.synthesis.truth import annotate
from heatprop.runtime.pipeline import map_ahead

MANIFEST = "synthesis.json"
FORMAT, VERSION = "heatprop-synthesis", 1
_DAMAGED = "{file}: is damaged; give another folder, or remove this one"
_KIND = FolderKind(
    manifest=MANIFEST,
    foreign="{folder} is not empty, and no synthetic dataset; give another folder",
    unreadable="{file}: cannot be read ({reason.strerror}); see to its rights",
    damaged=_DAMAGED,
    different="{folder} holds a dataset of other settings ({name}: {old}, not {new}); give another folder",
)
SEEN, UNSEEN = ("noto", "twemoji"), ("fluent",)

SPLITS: dict[str, tuple[str, ...]] = {"train": SEEN, "val": SEEN, "test": SEEN, "test_unseen": UNSEEN}
"""The drawings of each split. No two share a seed; the last one's drawings are in none of the others."""

_STILLS = 4  # in seeds: what comes after the splits
_STILLS_A_FOLDER = 100


@dataclass(frozen=True, kw_only=True)
class SynthesisSettings:
    """What a synthetic dataset is made of.

    Attributes:
        videos: in each of the splits.
        frames: of each video.
        stills: images of the set like ImageNet DET, which goes with the split train.
        seed: decides everything else.
        splits: which to make, of `SPLITS`.
        scene: what the videos are like.

    Raises:
        InvalidConfigError: a number is below its least, or a split unknown.
    """

    videos: int = 60
    frames: int = 60
    stills: int = 600
    seed: int = 0
    splits: tuple[str, ...] = tuple(SPLITS)
    scene: SceneSettings = field(default_factory=SceneSettings)

    def __post_init__(self) -> None:
        check_count("videos", self.videos, 1)
        check_count("frames", self.frames, 1)
        check_count("stills", self.stills, 0)
        check_count("seed", self.seed, 0)
        for split in self.splits:
            if split not in SPLITS:
                raise InvalidConfigError(f"split {split!r} is unknown; choose of {', '.join(SPLITS)}")

    @property
    def image_count(self) -> int:
        """How many images the dataset has."""
        return len(self.splits) * self.videos * self.frames + self.stills * ("train" in self.splits)


def synthesize(
    root: Path, settings: SynthesisSettings, *, workers: int, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Write a dataset, or more videos, stills or splits of one; what is finished already is kept.

    What is there is judged by its checksums: files that are missing or changed are made again.

    Args:
        root: folder for it; made if it is not there.
        settings: what it is made of.
        workers: threads that draw at once; images do not depend on it.
        advance: called with how many more images are there.

    Raises:
        BusyError: another run works in the folder.
        OutputError: the folder holds something else, or cannot be written; what is finished is kept.
    """
    with claim(root, settings):
        fill(root, settings, workers=workers, advance=advance)


def fill(
    root: Path, settings: SynthesisSettings, *, workers: int, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Write what is missing in a folder that was claimed; the arguments are those of `synthesize`.

    Raises:
        OutputError: it cannot be written; what is finished is kept.
    """
    try:
        remove_leftovers(root)
        with closing(map_ahead(_tasks(root, settings), lambda task: task(), workers)) as done:
            for _, images in done:
                advance(images)
                check()
        _write_lists(root, settings)
        _write_causes(root, settings)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{error.filename or root}: cannot be written ({error.strerror or error}); see to room and rights, "
            "and run again: what is finished is kept"
        ) from None


def video_name(split: str, number: int) -> str:
    """Return the name of a video.

    >>> video_name("val", 3)
    'synthetic_val_00000003'
    """
    return f"synthetic_{split}_{number:08d}"


def video_seed(settings: SynthesisSettings, split: str, number: int) -> tuple[int, int, int]:
    """Return what names a video among all: no two splits share one."""
    return (settings.seed, list(SPLITS).index(split), number)


def claim(root: Path, settings: SynthesisSettings) -> Claim:
    """Claim a folder that is new or holds a dataset that this one belongs to, and say so in its manifest.

    Raises:
        BusyError: another run works in it.
        OutputError: it holds something else, or cannot be written.
    """
    folder = ManifestFolder(root, _KIND)
    claimed = folder.claim()
    try:
        splits = _splits_there(folder, settings) | _splits(settings)
        write_json(folder.manifest_file, _common(settings) | {"splits": splits})
    except BaseException:
        claimed.release()
        raise
    return claimed


def _splits(settings: SynthesisSettings) -> dict[str, dict[str, Any]]:
    splits: dict[str, dict[str, Any]] = {
        split: {"drawings": list(SPLITS[split]), "videos": settings.videos, "frames": settings.frames}
        for split in settings.splits
    }
    if "train" in settings.splits:
        splits["train"]["stills"] = settings.stills
    return splits


def _splits_there(folder: ManifestFolder, settings: SynthesisSettings) -> dict[str, Any]:
    """Return what the manifest says about the splits, if there is one.

    Raises:
        OutputError: it is damaged, or of a dataset that these settings do not belong to; or there is none, but
            other files.
    """
    wanted = _common(settings)
    try:
        found = folder.read_manifest()
        before: dict[str, Any] = dict(found["splits"])
        have = {name: found[name] for name in wanted}
        frames = {
            f"frames of {split}": int(before[split]["frames"]) for split in settings.splits if split in before
        }
    except FileNotFoundError:
        folder.refuse_others()
        return {}
    except (ValueError, KeyError, TypeError):
        raise folder.refusal(_DAMAGED) from None
    folder.require_same(have | frames, wanted | dict.fromkeys(frames, settings.frames))
    return before


def _common(settings: SynthesisSettings) -> dict[str, Any]:
    """Return what all splits of a dataset have in common, as JSON gives it back."""
    scene = json.loads(json.dumps(asdict(settings.scene)))
    return {"format": FORMAT, "version": VERSION, "seed": settings.seed, "scene": scene}


def _tasks(root: Path, settings: SynthesisSettings) -> Iterator[Callable[[], int]]:
    """Yield what is to do, each a call that returns how many images it has made."""
    for split in settings.splits:
        for number in range(settings.videos):
            yield lambda split=split, number=number: _make_video(root, settings, split, number)  # type: ignore[misc]
    if "train" in settings.splits:
        for first in range(0, settings.stills, _STILLS_A_FOLDER):
            yield lambda first=first: _make_stills(root, settings, first)  # type: ignore[misc]


def _make_video(root: Path, settings: SynthesisSettings, split: str, number: int) -> int:
    place = Place(root, f"VID/{split}", video_name(split, number))
    seed = video_seed(settings, split, number)
    write_video(place, seed, settings.frames, load_sprites(SPLITS[split]), settings.scene)
    return settings.frames


def _make_stills(root: Path, settings: SynthesisSettings, first: int) -> int:
    numbers = range(first, min(first + _STILLS_A_FOLDER, settings.stills))
    seeds = [(settings.seed, _STILLS, number) for number in numbers]
    write_stills(Place(root, "DET/train", _still_folder(first)), seeds, load_sprites(SEEN), settings.scene)
    return len(numbers)


def _still_folder(first: int) -> str:
    return f"synthetic_train_{first // _STILLS_A_FOLDER:04d}"


def _write_lists(root: Path, settings: SynthesisSettings) -> None:
    """Write the lists that ImageNet VID has, and those that papers use."""
    lists = root / "ImageSets" / "VID"
    for split in settings.splits:
        names = [video_name(split, number) for number in range(settings.videos)]
        frames = [f"{name}/{frame:06d}" for name in names for frame in range(settings.frames)]
        write_text(lists / f"{split}.txt", "".join(f"{name} {place}\n" for place, name in enumerate(frames, 1)))
        starts = range(1, len(frames) + 1, settings.frames)
        rows = (f"{split}/{name} {start} 0 {settings.frames}\n" for name, start in zip(names, starts, strict=True))
        write_text(lists / f"VID_{split}_videos.txt", "".join(rows))
    if "train" in settings.splits and settings.stills:
        folders = (_still_folder(number - number % _STILLS_A_FOLDER) for number in range(settings.stills))
        images = (
            f"train/{folder}/{still_name(folder, number % _STILLS_A_FOLDER)} 1\n"
            for number, folder in enumerate(folders)
        )
        write_text(root / "ImageSets" / "DET" / "DET_train_30classes.txt", "".join(images))


def _write_causes(root: Path, settings: SynthesisSettings) -> None:
    path = root / CAUSES_FILE
    causes: dict[str, dict[str, Runs]] = {}
    if path.exists():
        try:
            causes = dict(json.loads(path.read_bytes()))
        except (ValueError, TypeError, RecursionError):
            raise OutputError(f"{path}: is damaged; remove it, and run again for each split") from None
    for split in settings.splits:
        causes[split] = {
            video_name(split, number): _causes_of_video(settings, split, number)
            for number in range(settings.videos)
        }
    write_text(path, json.dumps(causes, separators=(",", ":"), sort_keys=True) + "\n")


def _causes_of_video(settings: SynthesisSettings, split: str, number: int) -> Runs:
    seed, sprites = video_seed(settings, split, number), load_sprites(SPLITS[split])
    shots = make_video(seed, settings.frames, sprites, settings.scene)
    return runs_of_causes(shots, annotate(shots, settings.scene), settings.scene)
