"""The models of a report on its dataset: opened, timed, and their outputs kept, so that each runs once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from heatprop.backends import BackendName, load_model, open_backend
from heatprop.datasets.annotations import VideoDataset
from heatprop.evaluation.runs.cache import DEFAULT_FLOOR, OutputCache
from heatprop.evaluation.runs.cache_manifest import hash_of_model, manifest_of
from heatprop.evaluation.runs.class_matching import match_classes
from heatprop.evaluation.runs.methods import Method
from heatprop.evaluation.runs.run_folder import RunFolder
from heatprop.evaluation.runs.running import PictureNetwork, detect_dataset, require_pictures, unfinished


@dataclass(frozen=True, slots=True)
class ModelOutputs:
    """A model, and what it says about a dataset.

    Attributes:
        name: of the model.
        network: the model, ready to look at pictures.
        cache: its outputs.
        folder: of what is kept beside them.
    """

    name: str
    network: PictureNetwork
    cache: OutputCache
    folder: RunFolder


def open_outputs(name: str, dataset: VideoDataset, split: str, folder: Path, backend: BackendName) -> ModelOutputs:
    """Open a model and the folder of its outputs.

    Args:
        name: name or path of the model.
        dataset: what it looks at.
        split: of the dataset.
        folder: of the outputs of all models.
        backend: what runs it.

    Raises:
        HeatpropError: there is no such model, it has no card, or its classes are not those of the dataset; the
            folder is damaged.
    """
    model = load_model(name)
    classes = match_classes(model.card.classes, dataset.classes)
    opened = open_backend(backend, model)
    manifest = manifest_of(
        model,
        opened,
        dataset,
        split=split,
        classes=[dataset.classes[label] for label in classes.labels],
        floor=DEFAULT_FLOOR,
    )
    of_model = folder / hash_of_model(model)[:16]
    cache = OutputCache(of_model / "outputs", manifest)
    run = RunFolder(of_model / "detections", {"outputs": manifest.to_json(), "classes": list(dataset.classes)})
    return ModelOutputs(model.card.name, PictureNetwork(opened, model.card, classes), cache, run)


def frames_to_see(dataset: VideoDataset, outputs: ModelOutputs) -> int:
    """Return how many frames the network has not looked at yet."""
    return sum(map(len, unfinished(dataset, outputs.folder).values()))


def fill(dataset: VideoDataset, outputs: ModelOutputs, advance: Callable[[], None]) -> None:
    """Run the network on all frames that it has not looked at yet.

    Raises:
        HeatpropError: a picture is missing or damaged, or the folder cannot be written.
    """
    require_pictures(dataset, outputs.folder, outputs.cache)
    detect_dataset(
        dataset,
        outputs.network,
        Method(name="network"),
        outputs.folder,
        cache=outputs.cache,
        advance=advance,
    )
