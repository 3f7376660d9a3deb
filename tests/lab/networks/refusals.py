"""What a checkpoint is refused for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heatprop.errors import ModelError
from heatprop.lab.networks import load_checkpoint


def refusal(path: Path, **options: Any) -> str:
    """Return what is said about a file, which is called FILE there."""
    with pytest.raises(ModelError) as caught:
        load_checkpoint(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")
