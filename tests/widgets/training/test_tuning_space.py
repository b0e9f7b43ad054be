"""The search space as rows of texts, and the list in which they are edited."""

from __future__ import annotations

from dataclasses import replace

import pytest
from qtpy.QtCore import Qt

from napari_micromri.errors import InputError
from napari_micromri.training.config import TrainConfig
from napari_micromri.tuning.parameters import Choice, Float, Int
from napari_micromri.tuning.space import default_space, full_space
from napari_micromri.widgets.training.tuning.space_rows import (
    SpaceRow,
    addable,
    change_row,
    new_row,
    parameter_of,
    parameter_text,
    rows_of,
    space_of,
)
from napari_micromri.widgets.training.tuning.space_table import LABEL, VALUES, SpaceTable

BASE = TrainConfig()


def row(text, key="learning_rate", when=None):
    return SpaceRow(key, text, True, when or {})


@pytest.mark.parametrize(
    ("key", "text", "parameter"),
    [
        ("learning_rate", "1e-06 to 0.01, log", Float(low=1e-6, high=1e-2, log=True)),
        ("learning_rate", "0.1 to 0.5, step 0.2", Float(low=0.1, high=0.5, step=0.2)),
        ("batch_size", "8 to 64, step 8", Int(low=8, high=64, step=8)),
        ("batch_size", "8 to 64, log", Int(low=8, high=64, log=True)),
        ("network.features_main.0", "32, 64, 128", Choice(values=(32, 64, 128))),
        ("network.features_main", "[32, 64], [32, 64, 128]", Choice(values=((32, 64), (32, 64, 128)))),
        ("network.residual", "true, false", Choice(values=(True, False))),
        ("scheduler", "none, cosine", Choice(values=("none", "cosine"))),
        ("crop", "none, 64", Choice(values=(None, 64))),
    ],
)
def test_texts_and_parameters_say_the_same(key, text, parameter):
    assert parameter_of(row(text, key)) == parameter
    assert parameter_of(row(parameter_text(parameter), key)) == parameter


def test_whole_ends_make_a_range_of_numbers_where_the_setting_is_one():
    assert parameter_of(row("0 to 1", "alpha")) == Float(low=0, high=1)
    assert parameter_of(row("1 to 3", "network.convolutions")) == Int(low=1, high=3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "give the values"),
        ("0.1,, 0.2", "give the values"),
        ("small to large", "'small' isn't a number"),
        ("true to 3", "'true' isn't a number"),
        ("nan to 3", "'nan' isn't a number"),
        ("0.1 to", "isn't a range"),
        ("0.1 to 0.5, steps 2", "isn't a range"),
        ("0.5 to 0.1", "is above"),
        ("0 to 0.1, log", "must be above 0"),
        ("adam, sgd", "learning_rate"),
        ("[1, 2", "write lists as"),
    ],
)
def test_a_text_that_makes_no_sense_is_told_in_a_sentence(text, said):
    with pytest.raises(InputError, match="(?s)" + said.replace("(", r"\(")) as caught:
        parameter_of(row(text))
    assert "\n" not in str(caught.value)


def test_rows_offer_all_and_tick_what_is_searched():
    rows = rows_of(default_space())
    assert {one.key for one in rows} >= set(full_space().parameters)
    assert {one.key for one in rows if one.ticked} == set(default_space().parameters)
    assert space_of(rows, BASE) == default_space()
    assert space_of([replace(one, ticked=True) for one in rows], BASE) == full_space()


def test_conditions_are_kept_and_said_in_words():
    rows = {one.key: one for one in rows_of(full_space())}
    assert rows["alpha"].condition == "Only where Loss is hybrid"
    assert rows["loss"].condition == ""
    edited = change_row(list(rows.values()), "alpha", text="0.5 to 0.9")
    assert space_of(edited, BASE).parameters["alpha"].when == {"loss": ("hybrid",)}


def test_without_any_tick_nothing_can_be_searched():
    rows = [replace(one, ticked=False) for one in rows_of(default_space())]
    with pytest.raises(InputError, match="Tick at least one"):
        space_of(rows, BASE)


def test_what_comes_from_a_model_is_not_searched():
    space = space_of(rows_of(default_space()), TrainConfig(init_from="unet-default"))
    assert set(space.parameters) == {"learning_rate", "optimizer", "scheduler", "decay"}


def test_every_setting_that_can_be_added_begins_with_a_range_that_makes_sense():
    rows = rows_of(default_space())
    keys = addable(rows)
    assert {"crop", "ema", "network.patch_size", "weight_decay"} <= set(keys)
    assert not {"learning_rate", "device", "seed", "kind", "network.guided"} & set(keys)
    for key in keys:
        added = new_row(key, BASE)
        assert added.ticked
        assert parameter_of(added)
    assert new_row("decay_epochs", BASE).when == {"scheduler": ("step",)}


# The list


@pytest.fixture
def table(qtbot):
    table = SpaceTable()
    qtbot.addWidget(table)
    table.show_rows(rows_of(default_space()))
    table.show()
    return table


def item_of(table, key):
    at = [one.key for one in table.rows].index(key)
    return table.topLevelItem(at)


def test_ticks_and_ranges_are_taken_and_explained(table, qtbot):
    changed, said = [], []
    table.changed.connect(lambda: changed.append(True))
    table.described.connect(said.append)
    item = item_of(table, "loss")
    item.setCheckState(LABEL, Qt.CheckState.Checked)
    item_of(table, "learning_rate").setText(VALUES, " 1e-4 to 1e-2 ")
    rows = {one.key: one for one in table.rows}
    assert rows["loss"].ticked
    assert rows["learning_rate"].text == "1e-4 to 1e-2"
    assert len(changed) == 2
    table.setCurrentItem(item_of(table, "decay"))
    assert "Only where Scheduler is" in said[-1]


def test_a_range_that_makes_no_sense_is_red_and_says_why(table):
    item = item_of(table, "learning_rate")
    item.setText(VALUES, "fast")
    assert item.foreground(VALUES).color().red() > 200
    assert "learning_rate" in item.toolTip(VALUES)
    item.setText(VALUES, "0.1, 0.2")
    assert item.data(VALUES, Qt.ItemDataRole.ForegroundRole) is None


def test_values_are_edited_by_a_click_or_the_keyboard(table, qtbot):
    from qtpy.QtWidgets import QLineEdit

    item = item_of(table, "optimizer")
    table.setCurrentItem(item)
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_Return)
    [editor] = table.findChildren(QLineEdit)
    editor.setText("adam, sgd")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: item.text(VALUES) == "adam, sgd")
    assert next(one for one in table.rows if one.key == "optimizer").text == "adam, sgd"
    place = table.visualItemRect(item_of(table, "decay")).center()
    place.setX(table.header().sectionViewportPosition(VALUES) + 5)
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert table.state() == SpaceTable.State.EditingState


def test_what_comes_from_a_model_can_not_be_ticked(table):
    table.show_rows(table.rows, ["network.residual"])
    item = item_of(table, "network.residual")
    assert item.isDisabled()
    assert item.checkState(LABEL) == Qt.CheckState.Unchecked
    assert "comes from the model" in item.toolTip(LABEL)
    assert next(one for one in table.rows if one.key == "network.residual").ticked  # for when it doesn't any more
