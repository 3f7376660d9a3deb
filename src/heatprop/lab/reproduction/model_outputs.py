"""The models of a report on its dataset: opened, timed, and their outputs kept, so that each runs once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from heatprop.backends import BackendName
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.runs.cache import DEFAULT_FLOOR, OutputCache
from heatprop.lab.evaluation.runs.cache_manifest import hash_of_model, manifest_of
from heatprop.lab.evaluation.runs.evaluation_folder import EvaluationFolder
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.running import ImageNetwork, detect_dataset, open_network, require_images
from heatprop.zoo import Model


@dataclass(frozen=True, slots=True)
class ModelOutputs:
    """A model, and what it says about a dataset.

    Attributes:
        name: of the model.
        network: the model, ready to run on images.
        cache: its outputs.
        folder: of what is kept beside them.
    """

    name: str
    network: ImageNetwork
    cache: OutputCache
    folder: EvaluationFolder


def open_outputs(
    model: Model, dataset: VideoDataset, split: str, folder: Path, backend: BackendName
) -> ModelOutputs:
    """Open a model and the folder of its outputs.

    Args:
        model: which.
        dataset: what it runs on.
        split: of the dataset.
        folder: of the outputs of all models.
        backend: what runs it.

    Raises:
        HeatpropError: its classes are not those of the dataset, it cannot be opened, or the folder is damaged.
    """
    network = open_network(model, dataset, backend=backend)
    manifest = manifest_of(
        model, network.backend, dataset, split=split, classes=network.classes, floor=DEFAULT_FLOOR
    )
    of_model = folder / hash_of_model(model)[:16]
    cache = OutputCache(of_model / "outputs", manifest)
    run = EvaluationFolder(
        of_model / "detections", {"outputs": manifest.to_json(), "classes": list(dataset.classes)}
    )
    return ModelOutputs(model.card.name, network, cache, run)


def fill(dataset: VideoDataset, outputs: ModelOutputs, advance: Callable[[], None]) -> None:
    """Run the network on all frames that it has not run on yet.

    Raises:
        HeatpropError: an image is missing or damaged, or the folder cannot be written.
    """
    require_images(dataset, outputs.folder, outputs.cache)
    detect_dataset(
        dataset,
        outputs.network,
        Method(name="network"),
        outputs.folder,
        cache=outputs.cache,
        advance=advance,
    )
