"""TOML and `--set` -> `TrainingConfig`: an unknown key, or a value of another kind, is an error that names it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from heatprop.errors import InvalidConfigError, shortened
from heatprop.io.regular_files import LARGEST_SETTINGS, read_regular
from heatprop.lab.training.config import TrainingConfig
from heatprop.structuring import structure

# Python's parser takes the square of the parts of a dotted key; settings have two.
_KEY_WITHOUT_END = re.compile(r"""(?<![\w-])(?:(?:"[^"\n]*+"|'[^'\n]*+'|[\w-]++)[ \t]*+\.[ \t]*+){50}""")


def read_config(path: str | Path, changes: Sequence[str] = ()) -> TrainingConfig:
    """Read a TOML file, and change single keys of it.

    Args:
        path: the file.
        changes: such as ``optimiser.learning_rate=1e-4``; the value is written as in TOML, or a bare text.

    Raises:
        InvalidConfigError: the file cannot be read, a key is unknown, or a value is not what it must be.
    """
    path = Path(path)
    try:
        content = _parse_toml(read_regular(path, LARGEST_SETTINGS).decode("utf-8"))
    except OSError as error:
        raise InvalidConfigError(f"{path}: cannot be read ({error.strerror}); check the name") from None
    except UnicodeDecodeError:
        raise InvalidConfigError(f"{path}: is not text in UTF-8; save it so") from None
    except ValueError as error:
        raise InvalidConfigError(f"{path}: is not TOML ({error}); mend it there") from None
    for change in changes:
        _apply(content, change)
    return parse_config(content, f"{path}")


def parse_config(content: Mapping[str, Any], origin: str) -> TrainingConfig:
    """Turn nested tables into a configuration.

    Raises:
        InvalidConfigError: a key is unknown, or a value is not what it must be.
    """
    try:
        return structure(TrainingConfig, content, "", "toml")
    except InvalidConfigError as error:
        raise InvalidConfigError(f"{origin}: {error}") from None


def config_to_json(config: TrainingConfig) -> str:
    """Return a configuration as one line of JSON, the same for equal ones."""
    return json.dumps(asdict(config), separators=(",", ":"))


def config_from_json(text: str, origin: str) -> TrainingConfig:
    """Return the configuration that `config_to_json` wrote.

    Raises:
        InvalidConfigError: it is another version's, or damaged.
    """
    content = json.loads(text)
    content.get("model", {}).pop("classes", None)
    return parse_config(content, origin)


def differences(old: TrainingConfig, new: TrainingConfig) -> list[str]:
    """Name the settings in which two configurations differ, as ``section.key: old -> new``.

    >>> from heatprop.lab.training.config import RunConfig
    >>> differences(TrainingConfig(), TrainingConfig(run=RunConfig(seed=3)))
    ['run.seed: 0 -> 3']
    """
    before, after = dict(_leaves(asdict(old))), dict(_leaves(asdict(new)))
    return [
        f"{name}: {shortened(str(before[name]))} -> {shortened(str(value))}"
        for name, value in after.items()
        if before[name] != value
    ]


def _parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: it is none, or what no settings can be: nested without end, or with numbers beyond 64 bits.
    """
    if _KEY_WITHOUT_END.search(text):
        raise ValueError("it is nested too deep")
    try:
        content = tomllib.loads(text)
        _refuse_huge_numbers(content)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return content


def _refuse_huge_numbers(value: object) -> None:
    """Refuse whole numbers that TOML does not have, and that no library takes; Python's parser passes them on."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _refuse_huge_numbers(each)
    elif type(value) is int and not -(2**63) <= value < 2**63:
        raise ValueError(f"a whole number of it, {shortened(hex(value), 30)}, has more than 64 bits")


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _leaves(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def _apply(content: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise InvalidConfigError(f"--set {change}: is no section.key=value; give one, as run.seed=1")
    try:
        value = _parse_toml(f"value = {text}")["value"]
    except ValueError:
        value = text.strip()
    table = content.setdefault(section, {})
    if not isinstance(table, dict):
        raise InvalidConfigError(f"--set {change}: {section} is no section of the file; mend it there")
    table[key] = value
