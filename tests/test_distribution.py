"""What a wheel would hold, and that citation, recipe and workflow say what pyproject.toml says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from napari_micromri.nn.checkpoint import read_spec

ROOT = Path(__file__).parents[1]
DATA = {
    "measure/evaluation/report/page.html.jinja",
    "report_page.html.jinja",
    "napari.yaml",
    "nn/pretrained/apddm-default.safetensors",
    "nn/pretrained/unet-default.safetensors",
    "py.typed",
    "tuning/report/page.html.jinja",
}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_a_wheel_holds_code_models_manifest_and_templates_alone() -> None:
    files = [Path(file.distribution_path) for file in WheelBuilder(str(ROOT)).recurse_included_files()]
    assert {file.parts[0] for file in files} == {"napari_micromri"}
    inside = {file.relative_to("napari_micromri").as_posix() for file in files}
    assert {name for name in inside if not name.endswith(".py")} == DATA
    source = ROOT / "src/napari_micromri"
    assert {name for name in inside if name.endswith(".py")} == {
        path.relative_to(source).as_posix() for path in source.rglob("*.py")
    }


def test_an_sdist_holds_what_builds_the_wheel_and_no_more() -> None:
    wheel = {Path(file.path) for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    files = {Path(file.path) for file in SdistBuilder(str(ROOT)).recurse_included_files()}
    assert wheel < files
    assert {file.name for file in files - wheel} == {
        *("CHANGELOG.md", "CITATION.cff", "LICENSE", "NOTICE.md", "README.md", "pyproject.toml")
    }


def test_licences_go_with_it(project: dict[str, Any]) -> None:
    notice = (ROOT / "NOTICE.md").read_text(encoding="utf-8")
    assert set(project["license-files"]) == {"LICENSE", "NOTICE.md"}
    for name in DATA:
        if name.endswith(".safetensors"):
            spec, _ = read_spec(ROOT / "src/napari_micromri" / name)
            assert all(f"`{source}`" in notice for source in spec.card.training_data)


def test_citation_and_recipe_say_what_the_project_says(project: dict[str, Any]) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    recipe = yaml.safe_load((ROOT / "tools/conda/recipe.yaml").read_text(encoding="utf-8"))
    assert citation["version"] == recipe["context"]["version"] == project["version"]
    assert citation["license"] == recipe["about"]["license"] == project["license"]
    names = {"torch": "pytorch", "dask": "dask-core", "psycopg": "psycopg"}
    split = [re.match(r"([\w-]+)(?:\[.*\])?(.*)", text) for text in project["dependencies"]]
    wanted = {f"{names.get(found[1], found[1])} {found[2]}".strip() for found in split if found is not None}
    assert wanted == set(recipe["requirements"]["run"]) - {f"python {project['requires-python']}"}


def test_ci_runs_what_the_classifiers_promise(project: dict[str, Any]) -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    promised = [text.rsplit(" ", 1)[1] for text in project["classifiers"] if re.search(r":: 3\.\d+$", text)]
    assert sorted(matrix["python"]) == sorted(promised)
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
