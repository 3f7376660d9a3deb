"""The models that heatprop embeds, and any other model with a card, by name or by path."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from heatprop.errors import ModelError
from heatprop.zoo.card import METADATA_KEY, ModelCard
from heatprop.zoo.formats import FORMATS
from heatprop.zoo.metadata import NotOnnxError, read_metadata
from heatprop.zoo.openvino_xml import NotOpenVinoError, read_xml_metadata

__all__ = ["Model", "ModelCard", "load", "models"]

_FOLDER = Path(__file__).parent
_EMBEDDED = ("mb3-coco", "nanodet-coco", "synthvid")


@dataclass(frozen=True, slots=True)
class Model:
    """A network on disk together with what its card says.

    Attributes:
        card: what the network takes and gives.
        path: the file: ``.onnx``, ``.xml`` of OpenVINO, or a checkpoint of PyTorch.
        own_card: the card in the file, where another input size was asked for and `card` has that; else None.
        taken_for: in words, what a file without a card was taken for and how sure that is; empty with a card.
    """

    card: ModelCard
    path: Path
    own_card: ModelCard | None = field(default=None, kw_only=True)
    taken_for: str = field(default="", kw_only=True)


def models() -> list[ModelCard]:
    """Return the cards of the embedded models.

    Raises:
        ModelError: the installation is damaged.

    Example:
        >>> [card.name for card in models()]
        ['mb3-coco', 'nanodet-coco', 'synthvid']
    """
    return [load(name).card for name in _EMBEDDED]


def load(name_or_path: str | os.PathLike[str]) -> Model:
    """Find a model: the name of an embedded one, or the path of an ``.onnx`` or ``.xml`` file that carries a card.

    Only the card is read here; a backend reads the weights. Checkpoints need PyTorch even for that, and other
    files must be recognised: `heatprop.backends.load_model` takes all of them.

    Raises:
        ModelError: there is no such model, or the file is unreadable, of another format, or has no valid card.

    Example:
        >>> load("mb3-coco").card.classes[:3]
        ('person', 'bicycle', 'car')
    """
    path = find(name_or_path)
    card = read_card(path)
    if card is None:
        raise ModelError(
            f"model {path} has no card, that is no metadata {METADATA_KEY!r}; "
            "give it one with `heatprop models inspect`, or export it with `heatprop export`"
        )
    return Model(card, path)


def find(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the file of a model: of the embedded one of that name, else what lies at the path.

    A file in the current folder that is called like an embedded model is meant by ``./name``.

    Raises:
        ModelError: there is no such model.
    """
    name = os.fspath(name_or_path)
    if name in _EMBEDDED:
        return _FOLDER / f"{name}.onnx"
    path = Path(name)
    if path.is_dir():
        raise ModelError(f"model {name}: this is a folder; give the .onnx or .xml file in it")
    if path.suffix == ".bin" and path.with_suffix(".xml").is_file():
        raise ModelError(f"model {name} holds weights only; give {path.with_suffix('.xml')}")
    if not path.exists():
        looks_like_path = path.suffix in FORMATS or path.name != name
        raise ModelError(
            f"model {name}: there is no such {'file' if looks_like_path else 'model'}; embedded: "
            f"{', '.join(_EMBEDDED)}; a path works too: .onnx, .xml or .pth"
        )
    return path


def read_card(path: Path) -> ModelCard | None:
    """Return the card in a file; None where it has none.

    Raises:
        ModelError: the file is unreadable or of another format, or the card is not valid.
    """
    text = read_model_metadata(path).get(METADATA_KEY)
    if text is None:
        return None
    try:
        return ModelCard.from_json(text)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def read_model_metadata(path: Path) -> dict[str, str]:
    """Return what an ``.onnx`` or ``.xml`` file says of itself, by key.

    Raises:
        ModelError: the file is unreadable or of another format.
    """
    openvino = path.suffix == ".xml"
    try:
        metadata = read_xml_metadata(path) if openvino else read_metadata(path)
    except (NotOnnxError, NotOpenVinoError) as error:
        kind = "OpenVINO" if openvino else "ONNX"
        raise ModelError(f"model {path} is not a whole {kind} file ({error}); fetch or export it again") from None
    except OSError as error:
        raise ModelError(f"model {path} cannot be read ({error.strerror}); check the file") from None
    if openvino and not path.with_suffix(".bin").is_file():
        raise ModelError(f"model {path} lacks its weights, {path.with_suffix('.bin').name}; put them beside it")
    return metadata
