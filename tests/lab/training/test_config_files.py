"""A TOML file says what a run is; what it does not say, the defaults do; what it says wrongly is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatprop.errors import InvalidConfigError
from heatprop.lab.training.config import (
    AugmentationConfig,
    DataConfig,
    OptimiserConfig,
    RunConfig,
    TrainingConfig,
)
from heatprop.lab.training.config_files import config_from_json, config_to_json, differences, read_config


def read(tmp_path: Path, text: str, *changes: str) -> TrainingConfig:
    path = tmp_path / "run.toml"
    path.write_text(text)
    return read_config(path, changes)


def test_an_empty_file_is_the_paper(tmp_path: Path) -> None:
    config = read(tmp_path, "")
    assert config == TrainingConfig()
    assert (config.schedule.epochs, config.schedule.drops, config.schedule.batch_size) == (80, (50,), 32)
    assert (config.optimiser.kind, config.optimiser.learning_rate) == ("sgd", 1e-4)
    assert (config.model.backbone, config.model.input_side, config.augmentation.scale) == (
        "resnet101", 512, (0.6, 1.4),
    )  # fmt: skip


def test_keys_of_the_file_and_of_the_command_line_change_it(tmp_path: Path) -> None:
    text = '[data]\ntrain = "here"\n[optimiser]\nlearning_rate = 1\n[augmentation]\nscale = [1, 2]\n'
    config = read(tmp_path, text, "run.seed=3", "data.layout=coco-video", "optimiser.kind = 'adamw'")
    assert config == TrainingConfig(
        data=DataConfig(train=("here",), layout="coco-video"),
        optimiser=OptimiserConfig(learning_rate=1.0, kind="adamw"),
        augmentation=AugmentationConfig(scale=(1.0, 2.0)),
        run=RunConfig(seed=3),
    )


def test_many_folders_to_learn_from(tmp_path: Path) -> None:
    assert read(tmp_path, '[data]\ntrain = ["a", "b"]').data.train == ("a", "b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[optimizer]\n", "section optimizer is unknown; perhaps optimiser; there are data, augmentation"),
        ("[optimiser]\nlearning_rte = 1\n", "optimiser.learning_rte is unknown; perhaps learning_rate; there are"),
        ("[model]\nbackbone = 18\n", "model.backbone is 18; it must be a text"),
        ("[model]\nclasses = 4\n", "model.classes is set; leave it out"),
        ("[model]\nbackbone = 'vgg'\n", "backbone is 'vgg'; it must be resnet18"),
        ("[run]\nseed = 1.5\n", "run.seed is 1.5; it must be a whole number"),
        ("[run]\nseed = true\n", "run.seed is True; it must be a whole number"),
        ("[run]\nprecision = 'f16'\n", "run.precision is 'f16'; it must be 'f32' or 'bf16'"),
        ("[optimiser]\nlearning_rate = true\n", "optimiser.learning_rate is True; it must be a number"),
        ("[optimiser]\naverage = 1.5\n", "optimiser.average is 1.5; it must be a number from 0 to 1"),
        ("[augmentation]\nscale = 1\n", "augmentation.scale is 1; it must be a list of 2"),
        ("[augmentation]\nscale = [2, 1]\n", "augmentation.scale is [2.0, 1.0]; give the smaller first"),
        ("[schedule]\nepochs = 0\n", "schedule.epochs is 0; it must be a whole number of at least 1"),
        ("data = 3\n", "data is 3; it must be a section, [data]"),
        ("[data\n", "is not TOML (Expected"),
        ("[loss]\nsize = -1\n", "loss weight size is -1.0"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'run.toml'}: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("seed=1", "--set seed=1: is no section.key=value"),
        ("run.seed", "--set run.seed: is no section.key=value"),
        ("run.sede=1", "run.sede is unknown; perhaps seed"),
        ("run.seed=x", "run.seed is 'x'; it must be a whole number"),
    ],
)
def test_a_wrong_change_is_named(tmp_path: Path, change: str, said: str) -> None:
    with pytest.raises(InvalidConfigError, match=f"^.*{said}"):
        read(tmp_path, "", change)


def test_a_missing_file_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match="No such file or directory"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidConfigError, match="is not text in UTF-8"):
        read_config(tmp_path / "bytes.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[data]\nlayout = " + "[" * 20_000 + "]" * 20_000, "nested too deep"),
        ("[data]\n" + ".".join(["a"] * 50_000) + " = 1", "nested too deep"),
        ("[data]\n" + " . ".join(['"a b"', "'c'"] * 20_000) + " = 1", "nested too deep"),
        ("[" + ".".join(["a"] * 50_000) + "]", "nested too deep"),
        ("[data]\nlayout = {" + ".".join(["a"] * 50_000) + " = 1}", "nested too deep"),
        ("[data]\n" + "a" * 500_000 + " = 1", r"data\.a+\.\.\. is unknown"),
        ('[data]\n"a\\nb" = 1', r"data\.a.nb is unknown"),
        ("[run]\nseed = " + "9" * 5_000, "is not TOML"),
        ("[run]\nseed = 0xffffffffffffffffffff", "more than 64 bits"),
        ("[run]\nthreads = 0x7fffffffffffffff", r"run\.threads is 9223372036854775807; it must be"),
        ("[data]\nworkers = 10_000_000", r"data\.workers is 10000000"),
        ("[schedule]\nbatch_size = 0x7fffffffffffffff", r"schedule\.batch_size is"),
        ("[validation]\nbatch_size = 100_000_000", r"validation\.batch_size is"),
        ("[schedule]\nepochs = 0x7fffffffffffffff", r"schedule\.epochs is"),
        ("[run]\nseed = 0x7fffffffffffffff", r"run\.seed is"),
        ("[model]\nhead_width = 1_000_000_000", "head_width is"),
        ("[loss]\nsize = inf", "loss weight size is inf"),
        ("[loss]\nsize = nan", "loss weight size is nan"),
        ('[data]\ntrain_split = "a\\u0000b"', r"data\.train_split is .* null character"),
        ("[run]\nseed = 1979-05-27", r"run\.seed is datetime.*it must be a whole number"),
    ],
)
def test_what_no_settings_can_be_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(InvalidConfigError, match=said) as caught:
        read_config(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_json_gives_back_the_same_configuration(tmp_path: Path) -> None:
    config = read(tmp_path, '[data]\ntrain = ["a", "b"]\n[schedule]\ndrops = [1, 2]\n[model]\nwidth = 0.5\n')
    assert config_from_json(config_to_json(config), "here") == config


def test_differences_are_named(tmp_path: Path) -> None:
    other = read(tmp_path, "[schedule]\ndrops = [1, 2]\n[model]\nwidth = 0.5\n")
    assert differences(TrainingConfig(), other) == ["model.width: 1.0 -> 0.5", "schedule.drops: (50,) -> (1, 2)"]
