"""Configuration: defaults, base, preset, overrides, and errors that name the key."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.config import (
    PRESETS,
    ConfigError,
    ExperimentConfig,
    ModelConfig,
    config_from_dict,
    config_to_dict,
    config_to_yaml,
    load_config,
    nearest,
)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_defaults_are_those_of_the_dataclasses():
    assert load_config() == ExperimentConfig()
    assert config_from_dict({}) == ExperimentConfig()


def test_an_empty_file_is_all_defaults(tmp_path):
    assert load_config(write(tmp_path, "empty.yaml", "")) == ExperimentConfig()


def test_overrides_win_over_the_file_and_the_file_over_its_bases(tmp_path):
    write(tmp_path, "shared/base.yaml", "seed: 1\ntrain: {epochs: 10, batch_size: 8}\nmodel: {labels: [a, b, c]}\n")
    write(tmp_path, "middle.yaml", "base: shared/base.yaml\ntrain: {epochs: 20, workers: 3}\n")
    path = write(tmp_path, "leaf.yaml", "base: middle.yaml\ntrain: {workers: 4}\nmodel: {labels: [d]}\n")
    config = load_config(path, ["train.batch_size=9", "run=runs/x", "evaluate.snr_db=[20, -5]"])
    assert (config.seed, config.train.epochs, config.train.workers, config.train.batch_size) == (1, 20, 4, 9)
    assert config.model.labels == ["d"]  # a list is replaced, not joined
    assert config.run == "runs/x"
    assert config.evaluate.snr_db == [20.0, -5.0]
    assert config.train.weight_decay == ExperimentConfig().train.weight_decay


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_the_size(preset):
    model = load_config(overrides=[f"model.preset={preset}"]).model
    assert {"encoder", "width", "blocks", "shrinkage"} <= PRESETS[preset].keys()
    assert {key: getattr(model, key) for key in PRESETS[preset]} == PRESETS[preset]
    assert model == ModelConfig(preset=preset)


def test_a_model_described_before_there_were_encoders_is_a_drsn():
    """As checkpoints and run folders from then describe it."""
    model = config_from_dict({"model": {"preset": "10k", "width": 4, "shrinkage": "se"}}).model
    assert (model.encoder, model.width, model.shrinkage) == ("drsn", 4, "se")


def test_explicit_values_win_over_the_preset(tmp_path):
    model = load_config(write(tmp_path, "a.yaml", "model: {preset: 1m, width: 7}")).model
    assert (model.width, model.blocks) == (7, PRESETS["1m"]["blocks"])
    assert load_config(overrides=["model.blocks=[4]", "model.preset=10k"]).model.blocks == [4]


def test_the_default_size_is_the_default_preset_s():
    model = ExperimentConfig().model
    assert {key: getattr(model, key) for key in PRESETS[model.preset]} == PRESETS[model.preset]


def test_lists_of_sources_become_dataclasses():
    config = config_from_dict({"data": {"noise_train": [{"manifest": "a", "folds": [1, 2]}]}})
    assert config.data.noise_train[0].folds == [1, 2]
    assert config.data.noise_train[0].kinds == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: {}", "modle: unknown key; did you mean 'model'?"),
        ("model: {widht: 3}", "model.widht: unknown key; did you mean 'width'?"),
        ("model: {frontend: {hop: 3}}", "model.frontend.hop: unknown key; did you mean 'hop_ms'?"),
        ("data: {noise_train: [{kind: [x]}]}", r"data.noise_train\[0\].kind: unknown key; did you mean 'kinds'?"),
        ("zzz: 1", "zzz: unknown key; known are run, init, resume, seed, model"),
        ("1: 2", "1: unknown key"),
        ("model: 3", "model: expected keys and values, got 3"),
        ("model:", "model: expected keys and values, got None"),
        ("run:", "run: .*None"),
        ("model: {width: wide}", "model.width: .*'wide'"),
        ("model: {width: 2.5}", "model.width: .*'2.5'"),
        ("model: {blocks: 3}", "model.blocks: "),
        ("train: {learning_rate: fast}", "train.learning_rate: .*'fast'"),
        ("train: {epochs: yes}", "train.epochs: .*True"),
        ("model: {preset: 5k}", "model.preset=5k is unknown; known are 10k, 30k"),
        ("model: {preset: bcresnet-3}", "model.preset=bcresnet-3 is unknown; did you mean 'bc-resnet-3'"),
        ("- a", "bad.yaml: a config is a mapping"),
        ("{: [", "bad.yaml: not a YAML config"),
        ("seed: 1\nseed: 2", "bad.yaml: not a YAML config .*duplicate key seed"),
        ("\x00", "bad.yaml: not a YAML config"),
        ("run: ${nowhere}", "bad.yaml: Interpolation key 'nowhere' not found"),
        ("base: missing.yaml", "missing.yaml: no such config file"),
        ("base: 3", "bad.yaml: base is the path of one config file, got 3"),
        ("base: bad.yaml", "bad.yaml: its base leads back to itself"),
    ],
)
def test_errors_are_one_line_that_names_the_key(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as raised:
        load_config(write(tmp_path, "bad.yaml", text))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.width", "'model.width': an override reads key=value"),
        ("model.widht=3", "model.widht: unknown key; did you mean 'width'?"),
        ("=3", ": unknown key"),
        ("model.width=24=3", "model.width: .*'24=3'"),
        ("model.labels=[a", r"model.labels=\[a: not YAML"),
        ("model.labels=[yes,up]", r"model.labels\[0\]=True: YAML reads an unquoted yes"),
    ],
)
def test_errors_of_overrides(override, message):
    with pytest.raises(ConfigError, match=message) as raised:
        load_config(overrides=[override])
    assert "\n" not in str(raised.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such config file"):
        load_config(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match="not a YAML config"):
        load_config(tmp_path)


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "true", "No"])
def test_unquoted_yes_and_no_are_refused_as_labels(tmp_path, word):
    """YAML 1.1 makes booleans of them, and "True" would silently be no label of the corpus."""
    with pytest.raises(ConfigError, match=r"model.labels\[1\]=(True|False): .*quote the word"):
        load_config(write(tmp_path, "labels.yaml", f"model: {{labels: [up, {word}]}}"))
    quoted = load_config(write(tmp_path, "labels.yaml", f"model: {{labels: [up, '{word}']}}"))
    assert quoted.model.labels == ["up", word]


def test_numbers_are_labels_too():
    assert load_config(overrides=["model.labels=[0,1,2]"]).model.labels == ["0", "1", "2"]


labels = st.one_of(
    st.sampled_from(
        ["yes", "no", "on", "off", "null", "~", "1", "1e3", "0x1", "a: b", "- x", "#", "", " ", "ü", "1:30"]
    ),
    st.text("abcxyz019 .:#'\"-_é", max_size=8),
)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    labels=st.lists(labels, max_size=4),
    seed=st.integers(-(2**40), 2**40),
    preset=st.sampled_from([*PRESETS]),
    learning_rate=st.floats(1e-9, 1e9),
    folds=st.lists(st.integers(0, 10), max_size=3),
)
def test_yaml_and_dict_round_trips_are_equal(tmp_path_factory, labels, seed, preset, learning_rate, folds):
    config = config_from_dict(
        {
            "seed": seed,
            "model": {"preset": preset, "labels": labels},
            "train": {"learning_rate": learning_rate},
            "data": {"noise_dev": [{"manifest": "m", "folds": folds}]},
        }
    )
    path = tmp_path_factory.mktemp("round") / "config.yaml"
    path.write_text(config_to_yaml(config), encoding="utf-8")
    assert load_config(path) == config
    assert config_from_dict(config_to_dict(config)) == config


def test_nearest():
    assert nearest("widht", ["width", "blocks"]) == "did you mean 'width'?"
    assert nearest("q", ["width", "blocks"]) == "known are width, blocks"


def test_every_recipe_config_can_be_loaded():
    configs = sorted((Path(__file__).parents[1] / "recipes").glob("*/configs/*.yaml"))
    assert configs
    for path in configs:
        config = load_config(path)
        assert not {"True", "False"} & set(config.model.labels), path
