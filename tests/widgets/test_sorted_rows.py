"""Tables that are sorted by what their columns say, and filtered."""

from __future__ import annotations

from qtpy.QtCore import Qt

from napari_micromri.widgets.shared.columns import Column
from napari_micromri.widgets.shared.table import ColumnsModel, SortedRows

ROWS = [("a", 3.0), ("b", None), ("c", "text"), ("d", 1), ("e", None), ("f", 10.0)]
COLUMNS = (Column("Name", "", lambda row: row[0], lambda row: row[0]), Column("Value", "", str, lambda row: row[1]))


def shown(order):
    return [order.row(order.index(place, 0))[0] for place in range(order.rowCount())]


def test_numbers_come_before_texts_and_what_is_missing_last_either_way(qtbot):
    model = ColumnsModel()
    order = SortedRows(model)
    model.show_table(ROWS, COLUMNS)
    order.sort(1, Qt.SortOrder.AscendingOrder)
    assert shown(order)[:4] == ["d", "a", "f", "c"]
    assert sorted(shown(order)[4:]) == ["b", "e"]
    order.sort(1, Qt.SortOrder.DescendingOrder)
    assert shown(order)[:4] == ["c", "f", "a", "d"]
    assert sorted(shown(order)[4:]) == ["b", "e"]
    order.show_only(lambda row: row[1] is not None)
    assert shown(order) == ["c", "f", "a", "d"]


def test_only_what_changed_is_drawn_again_and_new_rows_are_put_in_their_places(qtbot):
    model = ColumnsModel()
    order = SortedRows(model)
    order.sort(1, Qt.SortOrder.AscendingOrder)
    model.show_table(ROWS[:1], COLUMNS)
    drawn, reset = [], []
    model.dataChanged.connect(lambda first, last, *_: drawn.append((first.row(), last.row())))
    model.modelReset.connect(lambda: reset.append(True))
    model.show_table([*ROWS[:1], ("d", 1)], COLUMNS)
    assert (shown(order), drawn) == (["d", "a"], [])
    model.show_table([("a", 0.5), ("d", 1)], COLUMNS)
    assert (shown(order), drawn, reset) == (["a", "d"], [(0, 0)], [])
    model.show_table([("a", 0.5)], COLUMNS)
    assert (shown(order), reset) == (["a"], [True])
