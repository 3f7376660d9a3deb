"""State dicts in files: read without running anything, checked against what a network needs."""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from heatprop.errors import ModelError

Pretrained = bool | str | os.PathLike[str]
"""Weights of a backbone to start from: True for those that can be fetched, a file, or False for none."""

NO_WEIGHTS = "num_batches_tracked"
"""Counters of batch normalisation: old files lack them, and the output does not depend on them."""

_CODE = re.compile(r"GLOBAL (\S+)")
_SHOWN = 3


def read_pickle(path: str | os.PathLike[str]) -> Any:
    """Read what ``torch.save`` wrote, on the CPU: tensors and plain values only, nothing is executed.

    Raises:
        ModelError: the file is missing, unreadable or damaged, is no such file, or carries code.
    """
    path = Path(path)
    if path.is_dir():
        raise ModelError(f"checkpoint {path} is a folder; give the file in it")
    try:
        # What torch warns of ends in an error below.
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
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
    except Exception:  # a damaged pickle or archive can raise nearly anything
        raise _not_a_checkpoint(path) from None


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
            f"checkpoint {path} holds no state dict, but {_describe(value)}; give a published CenterNet"
        )
    state: dict[str, Tensor] = {}
    for key, tensor in value.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise ModelError(f"checkpoint {path} holds no state dict: {key!r} is {_describe(tensor)}, no tensor")
        if tensor.layout != torch.strided or tensor.is_complex() or tensor.is_quantized or tensor.is_meta:
            raise ModelError(f"checkpoint {path}: {key} is {tensor.dtype}, {tensor.layout}; save it as float32")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ModelError(f"checkpoint {path}: {key} holds values that are not finite; take an earlier one")
        state[key.removeprefix("module.")] = tensor.float() if tensor.is_floating_point() else tensor
    return state


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
        ModelError: one line with how many are missing, unexpected or of another shape, and the first few.
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
    if problems:
        raise ModelError(
            f"checkpoint {path} does not fit {architecture}: {'; '.join(problems)}; save it again, or give another"
        )


def some(names: Iterable[str]) -> str:
    """Name the first few of many."""
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (", ..." if len(listed) > _SHOWN else "")


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _describe(value: object) -> str:
    return f"a {type(value).__name__}" + (" without entries" if value == {} else "")
