"""A card written into a copy of a model's file: no runtime, and no library of the format, is needed for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from xml.sax.saxutils import quoteattr

from heatprop.errors import InvalidConfigError, OutputError
from heatprop.io.outputs import OutputFile, is_same_file
from heatprop.zoo.card import METADATA_KEY, ModelCard
from heatprop.zoo.formats import FORMATS
from heatprop.zoo.metadata import metadata_entry, read_external_files
from heatprop.zoo.openvino_xml import place_for_metadata


def write_with_card(path: Path, card: ModelCard, copy: Path, *, overwrite: bool = False) -> list[Path]:
    """Write a copy of a model's file that carries a card; nothing else in it changes.

    Args:
        path: ``.onnx`` or ``.xml``, without a card.
        card: to put in.
        copy: of the same ending. Of an ``.xml`` the ``.bin`` is copied, too.
        overwrite: whether existing files may be replaced.

    Returns:
        The files that were written.

    Raises:
        InvalidConfigError: the copy has another ending.
        OutputError: the copy exists, cannot be written, or would lie apart from weights that it names.
    """
    if copy.suffix != path.suffix or path.suffix not in FORMATS:
        raise InvalidConfigError(f"{copy} is a copy of {path}; give a name that ends in {path.suffix}")
    pairs = [(path, copy)]
    if path.suffix == ".xml":
        pairs.append((path.with_suffix(".bin"), copy.with_suffix(".bin")))
    for source, target in pairs:
        if is_same_file(source, target):
            raise OutputError(f"{target} is read and would be replaced; choose another name")
    if path.suffix == ".onnx" and read_external_files(path) and path.parent.resolve() != copy.parent.resolve():
        raise OutputError(f"{copy}: the weights of {path} lie beside it; write the copy into that folder, too")
    with ExitStack() as stack:
        # The weights get their name before what names them.
        outputs = [stack.enter_context(OutputFile(target, overwrite=overwrite)) for _, target in pairs]
        for (source, _), output in zip(pairs, outputs, strict=True):
            shutil.copyfile(source, output.partial)
        added = outputs[0].partial
        if path.suffix == ".onnx":
            with added.open("ab") as file:  # one message after another is one message
                file.write(metadata_entry(METADATA_KEY, card.to_json()))
        else:
            place, is_inside = place_for_metadata(path)
            entry = f"<{METADATA_KEY} value={quoteattr(card.to_json())} />"
            text = entry if is_inside else f"<rt_info>{entry}</rt_info>"
            with path.open("rb") as whole, added.open("wb") as file:
                file.writelines(_with_text(whole.read(), text.encode(), place))
        for output in outputs:
            with output.partial.open("rb") as file:
                os.fsync(file.fileno())
    return [target for _, target in pairs]


def _with_text(data: bytes, text: bytes, place: int) -> Iterator[bytes]:
    yield data[:place]
    yield text
    yield data[place:]
