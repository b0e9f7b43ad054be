"""Many scans: found, named, denoised once, continued where the work was interrupted."""

from __future__ import annotations

import csv
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_micromri.cli import main
from napari_micromri.errors import InputError, JobError
from napari_micromri.inference.many import job
from napari_micromri.inference.many.job import ManyFolder, ManyReader, ScanDone, prepare_many, run_many
from napari_micromri.inference.many.request import ManyRequest, expand
from napari_micromri.io import open_scan, save_scan
from napari_micromri.progress import never
from napari_micromri.runs.events import Stopped
from study_samples import make_study

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.scan import Scan

OPTIONS = {"device": "cpu", "precision": "float32"}


@pytest.fixture
def scans(tmp_path: Path, make_scan: Callable[..., Scan]) -> Path:
    """Three scans of two protocols, and a file that is none."""
    folder = tmp_path / "in"
    for number, protocol in enumerate(("T2_RARE", "T2_RARE", "FLASH")):
        save_scan(make_scan((3, 8, 8), seed=number, name=protocol, protocol=protocol), folder / f"s{number}.nii.gz")
    (folder / "broken.nii.gz").write_bytes(b"no scan")
    return folder


@pytest.fixture
def counted(nearest: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let a model that repeats pixels stand for every model, and count how often it is loaded."""
    loaded: list[Any] = []

    def load(_: object) -> Any:
        loaded.append(nearest())
        return loaded[-1]

    monkeypatch.setattr("napari_micromri.nn.registry.load_model", load)
    monkeypatch.setattr("napari_micromri.nn.registry.find_model", str)
    return loaded


def request(*inputs: Path, **fields: Any) -> ManyRequest:
    return ManyRequest(inputs=tuple(map(str, inputs)), model="nearest", options=OPTIONS, **fields)


def used(loaded: list[Any]) -> int:
    return sum(bool(model.batches) for model in loaded)


def test_folders_studies_tables_and_patterns_are_expanded(tmp_path: Path, scans: Path) -> None:
    study = make_study(tmp_path / "mice.mri.zarr")
    table = tmp_path / "list.csv"
    table.write_text("# mine\nscan\nin/s0.nii.gz\nin/s2.nii.gz\n")

    def files(*inputs: Path, **fields: Any) -> list[str]:
        return [one.file for one in expand(request(*inputs, **fields), besides=tmp_path / "out")[0]]

    assert files(scans) == ["T2_RARE.ome.zarr", "T2_RARE-2.ome.zarr", "FLASH.ome.zarr"]
    assert files(scans, only="*rare*", ending=".nii") == ["T2_RARE.nii", "T2_RARE-2.nii"]
    assert files(table, name="{file}_{protocol}/{model}") == [
        "s0_T2_RARE_nearest.ome.zarr",
        "s2_FLASH_nearest.ome.zarr",
    ]
    # As a spreadsheet of another language writes it, with a line that ends early.
    table.write_text("sep=;\nSubject;Scan\nm7\nm8;in/s2.nii.gz\n", encoding="utf-8-sig")
    assert files(table, name="{file}") == ["s2.ome.zarr"]
    assert files(scans / "s[02].nii*", name="{file}") == ["s0.ome.zarr", "s2.ome.zarr"]
    assert len(files(study.path)) == len(study.pairs_by_key)
    with pytest.raises(InputError, match="pattern of names"):
        files(scans, name="{mouse}")
    with pytest.raises(InputError, match="Nothing fits"):
        files(scans / "x*")


def test_what_is_done_is_never_done_again(
    tmp_path: Path, scans: Path, counted: list[Any], make_scan: Callable[..., Scan]
) -> None:
    folder = prepare_many(request(scans, name="{file}"), tmp_path / "out")
    events = run_many(folder, never)
    for event in events:
        if isinstance(event, ScanDone):  # a file asks for the end after the first one
            folder.stop.touch()
    assert isinstance(event, Stopped)
    first = used(counted)
    assert 1 <= first < 3
    prepare_many(request(scans, name="{file}"), folder.path)
    assert [event.name for event in run_many(folder, never)][-1] == "done"
    assert used(counted) == 3
    [found] = open_scan(folder.path / "s1.ome.zarr")
    [given] = open_scan(scans / "s1.nii.gz")
    assert_array_equal(found.read(), given.read().repeat(2, 1).repeat(2, 2))

    (scans / "s2.nii.gz").rename(scans / "moved.nii.gz")  # the same content under another name
    save_scan(make_scan((3, 8, 8), seed=9), scans / "s1.nii.gz", overwrite=True)  # another content under the same name
    shutil.rmtree(folder.path / "s0.ome.zarr")
    prepare_many(request(scans, name="{file}"), folder.path)
    done = {event.source.rpartition("/")[2]: event for event in run_many(folder, never) if isinstance(event, ScanDone)}
    assert {name: event.before for name, event in done.items()} == {
        "s0.nii.gz": False,
        "s1.nii.gz": False,
        "moved.nii.gz": True,
    }
    assert used(counted) == 5
    [found] = open_scan(folder.path / "s1.ome.zarr")
    assert_array_equal(found.read()[:, ::2, ::2], open_scan(scans / "s1.nii.gz")[0].read())


def test_the_table_has_a_row_for_every_scan(tmp_path: Path, scans: Path, counted: list[Any]) -> None:
    folder = prepare_many(request(scans, name="{file}", workers=2), tmp_path / "out")
    list(run_many(folder, never))
    with (folder.path / job.TABLE).open(newline="", encoding="utf-8") as stream:
        rows = {row["source"].rpartition("/")[2]: row for row in csv.DictReader(stream)}
    assert {name: row["file"] for name, row in rows.items()} == {
        "broken.nii.gz": "",
        "s0.nii.gz": "s0.ome.zarr",
        "s1.nii.gz": "s1.ome.zarr",
        "s2.nii.gz": "s2.ome.zarr",
    }
    assert "damaged" in rows["broken.nii.gz"]["reason"]
    assert all(float(rows[f"s{k}.nii.gz"]["snr"]) > 1 and rows[f"s{k}.nii.gz"]["verdict"] for k in range(3))


def test_files_of_others_are_kept(tmp_path: Path, scans: Path, counted: list[Any]) -> None:
    folder = prepare_many(request(scans / "s0.nii.gz", name="{file}"), tmp_path / "out")
    (folder.path / "s0.ome.zarr").write_text("my notes")
    list(run_many(folder, never))
    [refused] = ManyReader(folder.path).read().scans.values()
    assert "already" in getattr(refused, "reason", "")
    assert (folder.path / "s0.ome.zarr").read_text() == "my notes"
    with pytest.raises(JobError, match="other files"):
        prepare_many(request(scans), scans)


def test_results_of_other_options_are_replaced_only_when_asked(tmp_path: Path, scans: Path, counted: list[Any]) -> None:
    asked = request(scans / "s0.nii.gz", name="{file}")
    folder = prepare_many(asked, tmp_path / "out")
    list(run_many(folder, never))
    other = asked.model_copy(update={"options": {**OPTIONS, "seed": 3}})
    with pytest.raises(JobError, match="--overwrite"):
        prepare_many(other, folder.path)
    assert folder.read_settings()["config"]["options"] == OPTIONS
    prepare_many(asked.model_copy(update={"options": {**OPTIONS, "batch_size": 1}}), folder.path)  # the same results
    prepare_many(other, folder.path, overwrite=True)
    assert folder.read_settings()["config"]["options"]["seed"] == 3


def test_results_are_no_inputs(tmp_path: Path, scans: Path, counted: list[Any]) -> None:
    out = scans / "denoised"
    for _ in range(2):
        list(run_many(prepare_many(request(scans, only="*RARE*"), out), never))
    assert used(counted) == 2


@pytest.mark.filterwarnings("ignore")  # of the scheduler's own
def test_a_scheduler_denoises_the_same(tmp_path: Path, scans: Path, counted: list[Any]) -> None:
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set(scheduler="threads"),
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
    ):
        asked = request(scans, name="{file}", scheduler=cluster.scheduler_address)
        events = list(run_many(prepare_many(asked, tmp_path / "out"), never))
    assert events[-1].name == "done"
    for k in range(3):
        [found] = open_scan(tmp_path / "out" / f"s{k}.ome.zarr")
        assert_array_equal(found.read()[:, ::2, 1::2], open_scan(scans / f"s{k}.nii.gz")[0].read())


def test_a_scheduler_that_is_not_there_is_one_sentence(tmp_path: Path, scans: Path, counted: list[Any]) -> None:
    folder = prepare_many(request(scans, scheduler="nowhere"), tmp_path / "out")
    *_, last = run_many(folder, never)
    assert last.name == "failed"
    assert "nowhere" in getattr(last, "message", "")


def test_the_command_denoises_and_resumes(
    tmp_path: Path, scans: Path, counted: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["denoise", str(scans), "--out", str(out), "--device", "cpu", "--name", "{file}"]
    assert main([*arguments, "--only", "FLASH"]) == 1  # the broken file was left out
    assert "s2.ome.zarr" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 1
    assert used(counted) == 3
    assert '"file": "s0.ome.zarr"' in capsys.readouterr().out
    assert main(["resume", str(out)]) == 2
    assert "finished" in capsys.readouterr().err
    assert main(["watch", str(out)]) == 0
    assert ManyFolder(out).exists


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["one.nii"], "IN and OUT"),
        (["a.nii", "b.nii", "c.nii"], "--out"),
        (["a.nii", "--out", "x", "--slices", "3"], "--slices"),
        (["a.nii", "--out", "x", "--workers", "0"], "workers"),
        (["a.nii", "--out", "x", "--model", "no-such-model"], "no-such-model"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["denoise", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_cannot_begin_says_why_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.csv").write_text("name\nmouse\n")
    assert main(["denoise", str(tmp_path / "list.csv"), "--out", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("has no column 'scan'") == 1


def test_contents_differ_by_pixels_geometry_model_and_options(make_scan: Callable[..., Scan]) -> None:
    from napari_micromri.inference.many.task import content_of

    scan = make_scan((2, 8, 8))
    contents = [
        content_of(scan, "model", {}),
        content_of(make_scan((2, 8, 8), seed=1), "model", {}),
        content_of(make_scan((2, 8, 8), voxel_size=(1.0, 0.1, 0.1)), "model", {}),
        content_of(scan, "other", {}),
        content_of(scan, "model", {"steps": 2}),
    ]
    assert len(set(contents)) == len(contents)
    assert content_of(type(scan)(np.asarray(scan.data).copy(), scan.info), "model", {}) == contents[0]
