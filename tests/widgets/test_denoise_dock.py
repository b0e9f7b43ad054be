from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_micromri.errors import ModelError
from napari_micromri.plugin.layers import METADATA_KEY, scan_to_layer
from napari_micromri.widgets import background
from napari_micromri.widgets.denoise import DenoiseWidget
from napari_micromri.widgets.denoise_model import Slices


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(viewer, denoiser, qtbot):
    widget = DenoiseWidget(viewer)
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
    widget.show()
    return widget


def add(viewer, scan, **more):
    data, attributes, _ = scan_to_layer(scan)
    return viewer.add_image(data, **(attributes | more))


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def finish(qtbot, dock):
    qtbot.waitUntil(lambda: dock._job is None)


def run(qtbot, dock, button=None):
    click(qtbot, button or dock.form.denoise)
    finish(qtbot, dock)


def test_an_empty_viewer_says_what_to_do_first(dock):
    assert "File > Open Sample" in dock.form.hint.text()
    assert not dock.form.preview.isEnabled()
    assert not dock.form.denoise.isEnabled()
    assert not dock.form.cancel.isEnabled()


@pytest.mark.parametrize(
    ("axes", "shape", "fine"),
    [
        ("yx", (8, 6), (16, 12)),
        ("zyx", (3, 8, 6), (3, 16, 12)),
        ("bzyx", (2, 3, 8, 6), (2, 3, 16, 12)),
        ("tbzyx", (2, 2, 3, 8, 6), (2, 2, 3, 16, 12)),
    ],
)
def test_a_scan_of_any_dimension_is_denoised_onto_a_layer_over_it(viewer, dock, qtbot, make_scan, axes, shape, fine):
    layer = add(viewer, make_scan(shape, axes, name="fast"), contrast_limits=(20, 700))
    run(qtbot, dock)
    result = viewer.layers[-1]
    assert (result.name, result.data.shape) == ("fast [unet-default]", fine)
    assert result.contrast_limits == layer.contrast_limits == [20, 700]
    np.testing.assert_allclose(result.scale[-2:] * 2, layer.scale[-2:])
    np.testing.assert_allclose(result.translate[-2:], layer.translate[-2:] - layer.scale[-2:] / 4)
    assert result.metadata[METADATA_KEY].axes == axes
    assert "fast [unet-default]" in dock.form.status.text()


def test_a_plain_layer_of_another_plugin_works_too(viewer, dock, qtbot):
    layer = viewer.add_image(np.random.default_rng(0).random((3, 8, 6)), name="plain", scale=(2, 1, 1))
    run(qtbot, dock)
    result = viewer.layers["plain [unet-default]"]
    np.testing.assert_allclose(result.scale, (2, 0.5, 0.5))
    assert result.units == layer.units
    assert viewer.layers.units is not None


def test_a_preview_is_one_slice_and_replaces_the_last(viewer, dock, denoiser, qtbot, make_scan):
    layer = add(viewer, make_scan((5, 8, 6)))
    for z in (1, 3):
        viewer.dims.set_point(0, z * 0.6)
        run(qtbot, dock, dock.form.preview)
        assert len(viewer.layers) == 2
        preview = viewer.layers[-1]
        assert preview.data.shape == (1, 16, 12)
    assert preview.name == "test scan [unet-default] preview"
    assert viewer.layers.selection.active is layer
    assert [call["options"].select for call in denoiser.calls] == [{"z": range(1, 2)}, {"z": range(3, 4)}]


def test_a_preview_of_another_scan_lies_on_top_in_its_place(viewer, dock, qtbot, make_scan):
    add(viewer, make_scan(name="first"))
    run(qtbot, dock, dock.form.preview)
    second = add(viewer, make_scan((4, 10, 8), name="second", origin=(9.0, 8.0, 7.0)), contrast_limits=(1, 2))
    run(qtbot, dock, dock.form.preview)
    assert [layer.name for layer in viewer.layers] == ["first", "second", "second [unet-default] preview"]
    preview = viewer.layers[-1]
    np.testing.assert_allclose(preview.translate[1:], second.translate[1:] - 0.025)
    assert preview.contrast_limits == [1, 2]
    flat = add(viewer, make_scan((8, 6), "yx", name="flat"))
    run(qtbot, dock, dock.form.preview)
    assert viewer.layers[-1].name == "flat [unet-default] preview"
    assert viewer.layers[-1].ndim == 2
    assert viewer.layers.selection.active is flat
    assert len(viewer.layers) == 4


def test_the_run_takes_the_preview_away_and_results_are_not_the_next_input(viewer, dock, qtbot, make_scan):
    layer = add(viewer, make_scan())
    run(qtbot, dock, dock.form.preview)
    run(qtbot, dock)
    assert [one.name for one in viewer.layers] == ["test scan", "test scan [unet-default]"]
    assert dock.layers.current is layer
    dock.layers.choose(viewer.layers[-1])
    assert dock.form.denoise.isEnabled()


def test_the_dock_follows_the_selected_layer(viewer, dock, make_scan):
    first, second = add(viewer, make_scan(name="first")), add(viewer, make_scan(name="second"))
    assert dock.layers.current is second
    viewer.layers.selection.active = first
    assert dock.layers.current is first
    first.name = "renamed"
    assert dock.form.layer.currentText() == "renamed"
    viewer.layers.remove(first)
    assert dock.layers.current is second


@pytest.fixture
def apddm(monkeypatch, make_entry, denoiser):
    entries = [make_entry(), make_entry("apddm-default", "apddm", most_steps=50)]
    monkeypatch.setattr("napari_micromri.widgets.shared.model_chooser.available_models", lambda: entries)


def test_texture_and_draws_are_offered_only_for_diffusion_models(apddm, viewer, dock, denoiser, qtbot, make_scan):
    add(viewer, make_scan())
    sampling = dock.form.sampling
    assert not sampling.isVisible()
    run(qtbot, dock)
    dock.form.model.setCurrentIndex(1)
    assert sampling.isVisible()
    assert sampling.slider.maximum() == 7
    run(qtbot, dock)
    sampling.slider.setValue(4)
    assert sampling.words.text().startswith("10 steps")
    run(qtbot, dock)
    sampling.slider.setValue(7)
    assert "a little noise" in sampling.words.text()
    run(qtbot, dock)
    sampling.number.setValue(2)
    run(qtbot, dock)
    asked = [(call["options"].steps, call["options"].draws, call["options"].eta) for call in denoiser.calls]
    assert asked == [(None, None, None), (1, 1, None), (10, 1, None), (50, 1, 0.15), (50, 2, None)]


def test_the_strength_is_offered_to_models_told_the_noise_and_the_preview_follows_it(
    monkeypatch, make_entry, viewer, denoiser, qtbot, make_scan
):
    entries = [make_entry(), make_entry("told", takes_noise=True)]
    monkeypatch.setattr("napari_micromri.widgets.shared.model_chooser.available_models", lambda: entries)
    dock = DenoiseWidget(viewer)
    qtbot.addWidget(dock, before_close_func=lambda widget: widget.shut_down())
    dock.show()
    add(viewer, make_scan())
    strength = dock.form.strength
    assert not strength.isVisible()
    dock.form.model.setCurrentIndex(1)
    assert strength.isVisible()
    strength.slider.setValue(strength.slider.maximum())
    assert not denoiser.calls  # there is no preview that could follow
    run(qtbot, dock, dock.form.preview)
    strength.slider.setValue(0)
    qtbot.waitUntil(lambda: len(denoiser.calls) == 2 and dock.form.preview.isEnabled())
    dock.form.model.setCurrentIndex(0)
    run(qtbot, dock)
    assert [call["options"].strength for call in denoiser.calls] == [2.0, 0.5, 1.0]


def test_the_quality_is_chosen_for_any_model_and_remembered(viewer, dock, denoiser, qtbot, make_scan):
    add(viewer, make_scan())
    run(qtbot, dock)
    dock.form.quality.setCurrentText("best")
    run(qtbot, dock)
    assert [call["options"].quality for call in denoiser.calls] == ["fast", "best"]
    again = DenoiseWidget(ViewerModel())
    qtbot.addWidget(again, before_close_func=lambda widget: widget.shut_down())
    assert again.form.quality.quality == "best"


def test_a_map_of_the_uncertainty_takes_several_draws(apddm, viewer, dock, denoiser, qtbot, make_scan):
    add(viewer, make_scan())
    dock.form.model.setCurrentIndex(1)
    sampling = dock.form.sampling
    sampling.uncertainty.setChecked(True)
    assert (sampling.number.value(), sampling.number.minimum(), sampling.steps) == (8, 2, 2)
    assert "mean of 8 draws" in sampling.words.text()
    run(qtbot, dock)
    assert [layer.name for layer in viewer.layers][1:] == [
        "test scan [apddm-default] uncertainty (SD)",
        "test scan [apddm-default]",
    ]
    run(qtbot, dock, dock.form.preview)
    assert viewer.layers[-2].name == "test scan [apddm-default] preview"
    assert denoiser.calls[-1]["options"].draws == 8
    sampling.uncertainty.setChecked(False)
    assert (sampling.number.value(), sampling.steps) == (1, 1)


@pytest.fixture
def sure(monkeypatch, make_entry, denoiser):
    entries = [make_entry(), make_entry("sure", "apddm", most_steps=50, has_errors=True)]
    monkeypatch.setattr("napari_micromri.widgets.shared.model_chooser.available_models", lambda: entries)


def test_errors_are_shown_for_models_that_know_them_in_one_step(sure, viewer, dock, qtbot, make_scan):
    add(viewer, make_scan())
    dock.form.more.setChecked(True)
    assert not dock.form.errors.isVisible()
    dock.form.errors.setChecked(True)
    run(qtbot, dock)
    assert len(viewer.layers) == 2
    dock.form.model.setCurrentIndex(1)
    assert dock.form.errors.isVisible()
    run(qtbot, dock)
    assert viewer.layers[-2].name == "test scan [sure] uncertainty (90 % of errors)"
    dock.form.sampling.slider.setValue(4)
    assert not dock.form.errors.isVisible()
    run(qtbot, dock)
    assert len(viewer.layers) == 5


def test_the_uncertainty_is_saved_beside_the_streamed_result(apddm, viewer, dock, denoiser, qtbot, make_scan, tmp_path):
    add(viewer, make_scan())
    dock.form.model.setCurrentIndex(1)
    dock.form.sampling.uncertainty.setChecked(True)
    dock.form.to_file.setChecked(True)
    dock.form.path.setText(str(tmp_path / "result.ome.zarr"))
    run(qtbot, dock)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result.ome.zarr", "result_uncertainty.ome.zarr"]
    assert len(viewer.layers) == 3


def test_results_say_how_they_were_made_and_never_count_in_brackets(viewer, dock, qtbot, make_scan):
    add(viewer, make_scan())
    for quality in ("fast", "fast", "best"):
        dock.form.quality.setCurrentText(quality)
        run(qtbot, dock)
    assert [layer.name for layer in viewer.layers][1:] == [
        "test scan [unet-default]",
        "test scan [unet-default], run 2",
        "test scan [unet-default, best]",
    ]
    dock.form.quality.setCurrentText("fast")
    dock.form.dark_air.setChecked(True)
    run(qtbot, dock)
    assert viewer.layers[-1].name == "test scan [unet-default, dark air]"


def test_the_verdict_comes_first_and_belongs_to_its_layer(viewer, dock, qtbot, make_scan):
    first = add(viewer, make_scan((2, 40, 32), name="first"))
    view = dock.verdict
    assert not view.isVisible()
    run(qtbot, dock)
    result = viewer.layers[-1]
    assert view.isVisible()
    verdict = view.verdict.text()
    assert verdict.endswith(".")
    assert not view.figures.isVisible()
    view.more.click()
    assert "times the noise's variance" in view.figures.text()
    assert view.figures.isVisible()
    second = add(viewer, make_scan((2, 40, 32), name="second"))
    viewer.layers.selection.active = second
    assert not view.isVisible()
    for layer in (first, result):
        viewer.layers.selection.active = layer
        assert (view.verdict.text(), view.isVisible()) == (verdict, True)
        assert view.figures.text().startswith("first [unet-default]")


def test_the_map_of_the_check_is_a_layer_over_the_scan(viewer, dock, qtbot, make_scan):
    layer = add(viewer, make_scan((4, 40, 32), origin=(1.0, 2.0, 3.0)))
    dock.form.slices.setCurrentIndex(2)
    dock.form.first.setValue(1)
    dock.form.last.setValue(2)
    run(qtbot, dock)
    click(qtbot, dock.verdict.map)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    found = viewer.layers[-1]
    assert found.name == "test scan [unet-default] trust map"
    assert found.data.shape == (2, 40, 32)
    np.testing.assert_allclose(found.scale, layer.scale)
    np.testing.assert_allclose(found.translate, layer.translate + np.array([0.6, 0, 0]))


def test_a_preview_shows_the_uncertainty_that_is_ticked(apddm, viewer, dock, qtbot, make_scan):
    add(viewer, make_scan((5, 40, 32)))
    dock.form.model.setCurrentIndex(1)
    dock.form.sampling.uncertainty.setChecked(True)
    for z in (1, 2):
        viewer.dims.set_point(0, z * 0.6)
        run(qtbot, dock, dock.form.preview)
        previews = viewer.layers[1:]
        assert [layer.name for layer in previews] == [
            "test scan [apddm-default] preview",
            "test scan [apddm-default] uncertainty (SD) preview",
        ]
        assert [layer.colormap.name for layer in previews] == ["gray", "inferno"]
        assert previews[1].blending == "additive"
        assert all(layer.data.shape == (1, 80, 64) and layer.visible for layer in previews)
    dock.form.sampling.uncertainty.setChecked(False)
    run(qtbot, dock, dock.form.preview)
    assert [layer.name for layer in viewer.layers[1:]] == ["test scan [apddm-default] preview"]


def test_a_range_of_slices(viewer, dock, denoiser, qtbot, make_scan):
    add(viewer, make_scan((6, 8, 6)))
    form = dock.form
    assert not form.first.isVisible()
    form.slices.setCurrentIndex(list(Slices).index(Slices.RANGE))
    assert form.first.isVisible()
    assert (form.first.value(), form.last.value(), form.last.maximum()) == (0, 5, 5)
    form.first.setValue(2)
    form.last.setValue(3)
    assert form.range_place.text() == "z 1.2 mm to z 1.8 mm"
    run(qtbot, dock)
    assert denoiser.calls[0]["options"].select == {"z": range(2, 4)}
    form.first.setValue(4)
    click(qtbot, form.denoise)
    assert "Slices 4 to 3" in form.status.text()
    assert len(denoiser.calls) == 1


def test_slices_across_another_axis(viewer, dock, denoiser, qtbot, make_scan):
    add(viewer, make_scan((4, 8, 6)))
    dock.form.slice_axis.setCurrentIndex(2)
    run(qtbot, dock)
    assert denoiser.calls[0]["options"].slice_axis == "x"
    assert viewer.layers[-1].data.shape == (8, 16, 6)


def test_the_slice_axis_is_offered_only_where_there_is_a_choice(viewer, dock, make_scan):
    add(viewer, make_scan((8, 6), "yx"))
    assert not dock.form.slice_axis.isVisible()
    add(viewer, make_scan((3, 8, 6)))
    assert dock.form.slice_axis.isVisible()


def test_work_is_never_done_on_the_windows_thread(viewer, dock, denoiser, qtbot, make_scan):
    add(viewer, make_scan())
    run(qtbot, dock)
    assert threading.main_thread() not in denoiser.threads


def test_progress_is_shown(viewer, dock, denoiser, qtbot, make_scan):
    add(viewer, make_scan((4, 8, 6)))
    denoiser.hold()
    click(qtbot, dock.form.denoise)
    qtbot.waitUntil(lambda: dock.form.progress.value() == 1)
    assert dock.form.progress.maximum() == 4
    assert dock.form.status.text() == "Slice 1 of 4"
    assert dock.form.cancel.isEnabled()
    assert not dock.form.denoise.isEnabled()
    denoiser.go_on()
    finish(qtbot, dock)
    assert dock.form.progress.value() == 0


@pytest.mark.parametrize("keep", [False, True])
def test_cancel_keeps_what_is_finished_only_when_asked(viewer, dock, denoiser, qtbot, make_scan, keep):
    add(viewer, make_scan())
    dock.form.keep.setChecked(keep)
    denoiser.hold()
    click(qtbot, dock.form.denoise)
    qtbot.waitUntil(denoiser.waiting.is_set)
    click(qtbot, dock.form.cancel)
    assert not dock.form.cancel.isEnabled()
    finish(qtbot, dock)
    assert len(viewer.layers) == 1 + keep
    assert dock.form.denoise.isEnabled()


def test_a_removed_layer_ends_its_run(viewer, dock, denoiser, qtbot, make_scan, shown):
    layer = add(viewer, make_scan())
    other = add(viewer, make_scan(name="other"))
    dock.layers.choose(layer)
    denoiser.hold()
    click(qtbot, dock.form.denoise)
    qtbot.waitUntil(denoiser.waiting.is_set)
    viewer.layers.remove(layer)
    finish(qtbot, dock)
    assert list(viewer.layers) == [other]
    assert not shown


def test_a_closed_dock_ends_its_run_and_listens_no_more(viewer, denoiser, qtbot, make_scan, shown):
    from qtpy.QtWidgets import QWidget

    parent = QWidget()
    qtbot.addWidget(parent)
    dock = DenoiseWidget(viewer)
    dock.setParent(parent)
    layer = add(viewer, make_scan())
    denoiser.hold()
    dock.start_denoising()
    job = dock._job
    qtbot.waitUntil(denoiser.waiting.is_set)
    dock.setParent(None)
    dock.deleteLater()
    qtbot.waitUntil(lambda: job not in background._alive)
    viewer.layers.clear()
    viewer.layers.append(layer)
    assert len(viewer.layers) == 1
    assert not shown


def test_what_goes_wrong_is_said_in_the_dock_and_as_a_notification(viewer, dock, denoiser, qtbot, make_scan, shown):
    add(viewer, make_scan())
    denoiser.error = ModelError("unet-default is damaged. Install the plugin again.")
    run(qtbot, dock)
    assert dock.form.status.text() == str(denoiser.error)
    assert [str(record.message) for record in shown] == [str(denoiser.error)]
    denoiser.error = None
    run(qtbot, dock)
    assert len(viewer.layers) == 2


def test_a_layer_that_is_no_scan_is_explained(viewer, dock):
    viewer.add_image(np.ones((8, 6)), name="turned", rotate=30)
    assert "'turned' is rotated" in dock.form.hint.text()
    assert not dock.form.denoise.isEnabled()


def test_what_was_removed_is_a_hidden_layer_below_the_result(viewer, dock, qtbot, make_scan):
    add(viewer, make_scan())
    dock.form.residual.setChecked(True)
    run(qtbot, dock)
    assert [layer.name for layer in viewer.layers][1:] == [
        "test scan [unet-default] residual",
        "test scan [unet-default]",
    ]
    removed = viewer.layers[1]
    low, high = removed.contrast_limits
    assert low == -high
    assert not removed.visible
    assert removed.data.shape == viewer.layers[2].data.shape


def test_straight_to_a_file(viewer, dock, qtbot, make_scan, tmp_path):
    add(viewer, make_scan())
    form = dock.form
    form.more.setChecked(True)
    form.to_file.setChecked(True)
    assert form.path.isVisible()
    assert not form.denoise.isEnabled()
    assert form.preview.isEnabled()
    form.path.setText(str(tmp_path / "result.ome.zarr"))
    run(qtbot, dock)
    result = viewer.layers[-1]
    assert (tmp_path / "result.ome.zarr").is_dir()
    assert not isinstance(result.data, np.ndarray)
    assert result.name == "test scan [unet-default]"
    run(qtbot, dock)
    assert "already" in form.status.text()


def test_model_files_are_added_to_the_list(viewer, dock, denoiser, qtbot, make_scan, make_entry, monkeypatch):
    path = Path("/models/mine.safetensors")
    add(viewer, make_scan())
    monkeypatch.setattr(
        "napari_micromri.widgets.shared.model_chooser.describe_model", lambda path: make_entry("mine", path=path)
    )
    monkeypatch.setattr(dock.form, "ask_model", lambda: path)
    for _ in range(2):
        click(qtbot, dock.form.add_model)
        assert dock.form.model.currentText() == "mine (UNet), file"
        assert dock.form.model.count() == 2
    run(qtbot, dock)
    assert denoiser.calls[0]["model"] == path
    assert viewer.layers[-1].name == "test scan [mine]"


def test_a_file_that_is_no_model_is_refused_in_a_sentence(dock, qtbot, monkeypatch, tmp_path, shown):
    path = tmp_path / "letter.safetensors"
    path.write_text("Dear Sir or Madam")
    monkeypatch.setattr(dock.form, "ask_model", lambda: path)
    click(qtbot, dock.form.add_model)
    assert dock.form.model.count() == 1
    assert len(shown) == 1
    assert "letter.safetensors" in str(shown[0].message)


def test_graphics_processors_are_looked_for_when_the_list_is_opened(viewer, dock, denoiser, qtbot, make_scan):
    add(viewer, make_scan())
    device = dock.form.device
    assert device.count() == 2
    device.opened.emit()
    qtbot.waitUntil(lambda: device.count() == 3)
    device.setCurrentIndex(2)
    run(qtbot, dock)
    assert denoiser.calls[0]["options"].device == "cuda:0"


def test_every_field_and_button_explains_itself(dock):
    form = dock.form
    widgets = (form.layer, form.model, form.add_model, form.slices, form.first, form.last, form.slice_axis, form.device)
    more = (form.residual, form.keep, form.to_file, form.browse, form.preview, form.denoise, form.cancel, form.more)
    assert all(widget.toolTip() for widget in (*widgets, *more))


def test_the_dock_fits_in_300_pixels(viewer, dock, make_scan):
    add(viewer, make_scan(name="T2_TurboRARE coronal head-thorax, a very long name that goes on and on and on"))
    dock.form.more.setChecked(True)
    dock.form.to_file.setChecked(True)
    dock.form.slices.setCurrentIndex(list(Slices).index(Slices.RANGE))
    assert dock.minimumSizeHint().width() <= 300
