"""Search spaces: what they suggest, their TOML files, and what is refused, with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_micromri.errors import InputError, WriteError
from napari_micromri.training.config import TrainConfig, parse_config
from napari_micromri.tuning.space import (
    Choice,
    Float,
    Int,
    SearchSpace,
    default_space,
    full_space,
    make_space,
    setting_of,
)
from napari_micromri.tuning.space_file import parse_parameter, read_space, to_toml, write_space

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def space_file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "space.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def suggest(space: SearchSpace, base: dict[str, Any] | None = None, seed: int = 0) -> dict[str, Any]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return space.suggest(study.ask(), base)


def test_the_default_is_the_reports() -> None:
    space = default_space()
    assert space.parameters["network.features_main.2"] == Choice(values=(64, 128, 256, 512))
    assert space.parameters["learning_rate"] == Float(low=1e-6, high=1e-2, log=True)
    assert space.parameters["decay"] == Choice(
        values=(0.1, 0.3, 0.5), when={"scheduler": ("exponential", "step", "plateau")}
    )
    assert set(full_space().parameters) - set(space.parameters) == {"network.activation", "loss", "alpha", "batch_size"}


@given(st.integers(0, 10_000))
def test_whatever_is_suggested_trains(seed: int) -> None:
    space = full_space()
    values = suggest(space, seed=seed)
    config = parse_config(space.settings(values))
    assert ("alpha" in values) == (config.loss == "hybrid")
    for name, value in values.items():
        assert setting_of(config.model_dump(), name) == value


def test_conditions_look_at_what_is_not_searched_too() -> None:
    space = make_space({"alpha": Float(low=0.0, high=1.0, when={"loss": ("hybrid",)})})
    assert suggest(space) == {}
    assert set(suggest(space, TrainConfig(loss="hybrid").model_dump(mode="json"))) == {"alpha"}


def test_a_condition_on_what_is_itself_conditional() -> None:
    space = make_space(
        {
            "plateau_patience": Int(low=1, high=5, when={"decay": (0.5,)}),
            "decay": Choice(values=(0.5,), when={"scheduler": ("plateau",)}),
            "scheduler": Choice(values=("none",)),
        }
    )
    assert space.in_order() == ["scheduler", "decay", "plateau_patience"]
    assert suggest(space) == {"scheduler": "none"}


def test_entries_of_a_list_are_laid_over_it() -> None:
    space = make_space(
        {"network.features_main.1": Choice(values=(96,)), "network.features_main.2": Choice(values=(8,))}
    )
    base = parse_config({"network": {"features_main": [16, 32]}}).model_dump(mode="json")
    settings = space.settings(suggest(space), base)
    assert settings["network"]["features_main"] == [16, 96, 8]
    assert base["network"]["features_main"] == [16, 32]


def test_a_file_that_an_editor_of_windows_saved(space_file: Callable[[str], Path]) -> None:
    assert "epochs" in read_space(space_file("\ufeff[epochs]\nvalues = [2, 3]\n")).parameters


def test_lists_and_none_can_be_chosen(space_file: Callable[[str], Path]) -> None:
    space = read_space(
        space_file('[network.features_main]\nvalues = [[8, 16], [16, 32, 64]]\n[clip]\nvalues = ["none"]\n')
    )
    values = suggest(space)
    assert values["network.features_main"] in ((8, 16), (16, 32, 64))
    assert values["clip"] is None
    assert parse_config(space.settings(values)).network.features_main == values["network.features_main"]


@given(st.integers(0, 10_000))
def test_values_are_read_back_from_settings(seed: int) -> None:
    space = full_space()
    values = suggest(space, seed=seed)
    assert space.values_of(parse_config(space.settings(values)).model_dump(mode="json")) == values


def test_settings_outside_of_the_space_have_no_values() -> None:
    def values_of(**settings: Any) -> dict[str, Any] | None:
        space = {"batch_size": Int(low=4, high=16, step=4), "network.residual": Choice(values=(True,))}
        return make_space(space).values_of(parse_config(settings).model_dump(mode="json"))

    assert values_of(batch_size=8) == {"batch_size": 8, "network.residual": True}
    assert values_of(batch_size=32) is None
    assert values_of(batch_size=6) is None
    assert values_of(batch_size=8, network={"residual": False}) is None


def test_a_choice_keeps_true_and_one_apart() -> None:
    space = make_space({"network.residual": Choice(values=(True, False)), "batch_size": Choice(values=(1, 2))})
    for seed in range(8):
        values = suggest(space, seed=seed)
        assert isinstance(values["network.residual"], bool)
        assert type(values["batch_size"]) is int


@pytest.mark.parametrize("make", [default_space, full_space])
def test_a_space_survives_its_file(tmp_path: Path, make: Callable[[], SearchSpace]) -> None:
    path = tmp_path / "space.toml"
    write_space(make(), path)
    assert read_space(path) == make()
    with pytest.raises(WriteError, match="already"):
        write_space(make(), path)


def test_what_is_not_searched_stands_in_the_file_to_be_taken_in(space_file: Callable[[str], Path]) -> None:
    text = to_toml(default_space())
    head, marker, spare = text.partition("# Not searched")
    mended = "\n".join(
        line.removeprefix("# ") if line.startswith(("# [", "# values", "# low", "# high", "# when")) else line
        for line in f"{marker}{spare}".splitlines()
    )
    assert read_space(space_file(head + mended)) == full_space()


def test_ranges_of_whole_numbers_are_known_by_their_ends(space_file: Callable[[str], Path]) -> None:
    text = """
        batch_size = { low = 8, high = 32, step = 8 }
        scaling = { low = 0, high = 1 }
        "network.features_main.0" = { low = 8, high = 64, log = true }
    """
    assert read_space(space_file(text)).parameters == {
        "batch_size": Int(low=8, high=32, step=8),
        "scaling": Float(low=0.0, high=1.0),
        "network.features_main.0": Int(low=8, high=64, log=True),
    }


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[loss\n", 1, "isn't valid TOML"),
        ('[loss]\nvalues = ["mse", "mae"\n[alpha]\n', 3, "isn't valid TOML"),
        ("\n\n[learning_rat]\nlow = 0.1\nhigh = 1.0\n", 3, "no setting 'learning_rat', did you mean 'learning_rate'?"),
        ("[residual]\nvalues = [true]\n", 1, "did you mean 'network.residual'?"),
        ("[seed]\nlow = 1\nhigh = 2\n\n[decay]\nlow = 0.1\n", 5, "'high' is missing"),
        ("[decay]\nlow = 0.5\nhigh = 0.1\n", 1, "'low' (0.5) is above 'high' (0.1)"),
        ("[learning_rate]\nlow = 0\nhigh = 0.1\nlog = true\n", 1, "'low' must be above 0"),
        ("[decay]\nlow = 0.1\nhigh = 0.35\nstep = 0.1\n", 1, "use 0.3"),
        ("[batch_size]\nlow = 1\nhigh = 8\nlog = true\nstep = 2\n", 1, "exclude each other"),
        ("[batch_size]\nlow = 0\nhigh = 8\n", 1, "'batch_size' can't be 0"),
        ('[optimizer]\nvalues = ["adam", "adom"]\n', 1, 'can\'t be "adom"'),
        ('[optimizer]\nvalues = ["adam", "adam"]\n', 1, "listed twice"),
        ("[optimizer]\nvalues = []\n", 1, "at least 1 item"),
        ('[optimizer]\nvalues = "adam"\n', 1, "needs 'values', or 'low' and 'high'"),
        ("[decay]\nlow = 0.1\nhigh = 0.5\nlgo = true\n", 1, "there is no 'lgo' here"),
        ('[alpha]\nlow = 0.0\nhigh = 1.0\nwhen = { los = ["hybrid"] }\n', 1, "no setting 'los'"),
        ('["network.features_main.0"]\nvalues = [0]\n', 1, "'network.features_main.0' can't be 0"),
        ('["network.residual.0"]\nvalues = [true]\n', 1, "no setting 'network.residual.0'"),
        ('[monitor]\nvalues = ["mse", "ssim"]\n', 1, "'monitor' can't be searched"),
        ('[network]\nvalues = ["big"]\n', 1, "'network' can't be \"big\""),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    space_file: Callable[[str], Path], text: str, line: int, words: str
) -> None:
    with pytest.raises(InputError) as error:
        read_space(space_file(text))
    assert f"line {line}" in str(error.value)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_circle_an_empty_file_and_none_at_all_are_refused(space_file: Callable[[str], Path], tmp_path: Path) -> None:
    circle = """
        loss = { values = ["mse"], when = { alpha = [1.0] } }
        alpha = { low = 0.0, high = 1.0, when = { loss = ["mse"] } }
    """
    with pytest.raises(InputError, match="in a circle: loss, alpha"):
        read_space(space_file(circle))
    with pytest.raises(InputError, match="names no setting"):
        read_space(space_file("# nothing\n"))
    with pytest.raises(InputError, match="does not exist"):
        read_space(tmp_path / "none.toml")


def test_a_single_allowed_value_needs_no_list() -> None:
    found = parse_parameter("alpha", {"low": 0.0, "high": 1.0, "when": {"loss": "hybrid"}})
    assert found.when == {"loss": ("hybrid",)}
