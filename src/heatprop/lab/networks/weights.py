"""State dicts in files: read without running anything, checked against what a network needs."""

from __future__ import annotations

import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from heatprop.errors import ModelError, shortened
from heatprop.io.regular_files import LARGEST_CHECKPOINT, open_regular

Pretrained = bool | str | os.PathLike[str]
"""Weights of a backbone to start from: True for those that can be fetched, a file, or False for none."""

NO_WEIGHTS = "num_batches_tracked"
"""Counters of batch normalisation: old files lack them, and the output does not depend on them."""

_CODE = re.compile(r"GLOBAL (\S+)")
_SHOWN = 3
_MAX_UNPACKED = 10


def read_pickle(path: str | os.PathLike[str]) -> Any:
    """Read what ``torch.save`` wrote, on the CPU: tensors and plain values only, nothing is executed.

    Raises:
        ModelError: the file is missing, unreadable or damaged, is no such file, or carries code.
    """
    path = Path(path)
    if path.is_dir():
        raise ModelError(f"checkpoint {path} is a folder; give the file in it")
    if path.exists() and not path.is_file():  # a pipe would be waited for, a device never ends
        raise ModelError(f"checkpoint {path} is no regular file; save it as one first")
    if _is_bomb(path):
        raise ModelError(f"checkpoint {path} unpacks to more than {_MAX_UNPACKED} times its size; save it again")
    try:
        # What torch warns of ends in an error below.
        with open_regular(path, LARGEST_CHECKPOINT) as file, warnings.catch_warnings(action="ignore"):
            return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"checkpoint {path}: there is no such file; check the name") from None
    except OSError as error:
        raise ModelError(f"checkpoint {path} cannot be read ({error.strerror}); check the file") from None
    except pickle.UnpicklingError as error:
        if code := _CODE.search(str(error)):
            raise ModelError(
                f"checkpoint {path} carries code ({code[1]}), not only weights; nothing of it was run; "
                "save its state dict alone"
            ) from None
        if "Unsupported operand" in str(error) and _is_plain_pickle(path):
            raise ModelError(
                f"checkpoint {path} is a plain pickle, which may carry code; nothing of it was run; "
                "save its state dict with torch.save"
            ) from None
        raise _not_a_checkpoint(path) from None
    except Exception as error:  # a damaged pickle or archive can raise nearly anything
        if "TorchScript" in str(error):
            raise ModelError(
                f"checkpoint {path} is a TorchScript program, not only weights; nothing of it was run; "
                "save its state dict alone"
            ) from None
        raise _not_a_checkpoint(path) from None


def _is_bomb(path: Path) -> bool:
    """Say whether an archive would swell; ``torch.save`` does not even compress."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist()) > _MAX_UNPACKED * path.stat().st_size
    except Exception:  # no archive, or a damaged one: whoever reads it will say so
        return False


def _is_plain_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in (b"\x80\x04", b"\x80\x05")


def _not_a_checkpoint(path: Path) -> ModelError:
    return ModelError(f"checkpoint {path} is not a whole PyTorch checkpoint; fetch or save it again")


def state_dict_in(value: object, path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Find the state dict in what a file holds, in float32, without the ``module.`` of data-parallel training.

    It is the value itself or its entry ``state_dict`` (or ``model``); optimiser state and the like stay behind.

    Raises:
        ModelError: there is none, or a tensor is not of finite real numbers.
    """
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("state_dict", "model") if isinstance(value.get(key), Mapping)), value)
    if not isinstance(value, Mapping) or not value:
        raise ModelError(
            f"checkpoint {path} holds no state dict, but {_described(value)}; give a published CenterNet"
        )
    state: dict[str, Tensor] = {}
    for key, tensor in value.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            problem = f"{_described(tensor)}, no tensor" if isinstance(key, str) else "no name"
            raise ModelError(f"checkpoint {path} holds no state dict: {_shown(key)} is {problem}")
        name = key.removeprefix("module.")
        if name in state:
            raise ModelError(f"checkpoint {path} has {_shown(name)} twice, with and without 'module.'; keep one")
        state[name] = _plain(tensor, f"checkpoint {path}: {_shown(key)}")
    return state


def _plain(tensor: Tensor, where: str) -> Tensor:
    """Return a tensor in float32, or of whole numbers as it is.

    Raises:
        ModelError: it is not of finite real numbers, or claims more of them than the file holds.
    """
    if tensor.layout != torch.strided or tensor.is_complex() or tensor.is_quantized or tensor.is_meta:
        raise ModelError(f"{where} is {tensor.dtype}, {tensor.layout}; save it as float32")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ModelError(f"{where} repeats fewer values than its shape {tuple(tensor.shape)} has; save it whole")
    if not tensor.is_floating_point():
        return tensor
    tensor = tensor.detach().float()
    if not bool(tensor.isfinite().all()):
        raise ModelError(f"{where} holds values that are not finite in float32; take an earlier one")
    return tensor


def read_backbone(
    path: str | os.PathLike[str], architecture: str, wanted: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Read the weights of a backbone out of a classifier's file; its other tensors stay behind.

    Raises:
        ModelError: the file is unreadable, or lacks tensors of `wanted`, or they have another shape.
    """
    state = state_dict_in(read_pickle(path), path)
    state = {key: tensor for key, tensor in state.items() if key in wanted}
    check_state_dict(path, architecture, state, wanted)
    return state


def check_state_dict(
    path: str | os.PathLike[str],
    architecture: str,
    given: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
) -> None:
    """Check that a file's tensors have the names and shapes that the architecture needs.

    Raises:
        ModelError: one line with how many are missing, unexpected, of another shape or type, and the first few.
    """
    problems = []
    if missing := [key for key in wanted if key not in given and not key.endswith(NO_WEIGHTS)]:
        problems.append(f"{len(missing)} missing ({some(missing)})")
    if unexpected := [key for key in given if key not in wanted]:
        problems.append(f"{len(unexpected)} unexpected ({some(unexpected)})")
    shapes = [
        f"{key} is {tuple(given[key].shape)}, not {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in given and given[key].shape != tensor.shape
    ]
    if shapes:
        problems.append(f"{len(shapes)} of another shape ({some(shapes)})")
    types = [
        f"{key} is {given[key].dtype}"
        for key, tensor in wanted.items()
        if key in given and tensor.is_floating_point() and not given[key].is_floating_point()
    ]
    if types:
        problems.append(f"{len(types)} not of floating-point numbers ({some(types)})")
    if problems:
        raise ModelError(
            f"checkpoint {path} does not fit {architecture}: {'; '.join(problems)}; save it again, or give another"
        )


def some(names: Iterable[str]) -> str:
    """Name the first few of many."""
    listed = list(names)
    return ", ".join(map(_shown, listed[:_SHOWN])) + (", ..." if len(listed) > _SHOWN else "")


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _shown(name: object) -> str:
    """Return a name out of a file for a message: short, and nothing that moves a cursor."""
    text = str(name)
    return shortened(text if text.isprintable() else repr(text), 80)


def _described(value: object) -> str:
    return f"a {type(value).__name__}" + (" without entries" if value == {} else "")
