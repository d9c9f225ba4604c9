"""What an image says about itself: its labels, and the OpenAPI document beside the source."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cogn.cli.main import cogn
from cogn.layers.errors import SourceError
from cogn.report import CognError
from cogn.resolver.signature import PredictorError, UnknownValueError
from support.sealed import SealedProject, sealed_project

PREDICTOR = """
from cog import Input
import helper

def run(text: str = Input(description="What to say", choices=helper.WORDS)) -> str:
    return text
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SealedProject:
    made = sealed_project(tmp_path)
    (made.root / "run.py").write_text(PREDICTOR)
    (made.root / "helper.py").write_text("WORDS = ['yes', 'no']\n")
    monkeypatch.setenv("COGN_CACHE", str(made.cache))
    return made


def assemble(project: SealedProject, *arguments: str | Path) -> Result:
    layout = project.root.parent / "image"
    command = ["assemble", str(project.root), "-o", f"oci:{layout}", *map(str, arguments)]
    return CliRunner().invoke(cogn, command, catch_exceptions=False)


def blob(project: SealedProject, digest: str) -> Path:
    return project.root.parent / "image" / "blobs" / "sha256" / digest.removeprefix("sha256:")


def configuration(project: SealedProject, digest: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the labels and the manifest of the image that was assembled."""
    manifest = json.loads(blob(project, digest.strip()).read_bytes())
    config = json.loads(blob(project, manifest["config"]["digest"]).read_bytes())
    return config["config"]["Labels"], manifest


def test_the_document_is_in_a_label_and_beside_the_source(project: SealedProject) -> None:
    (project.root / ".dockerignore").write_text("!.cog\n")
    (project.root / ".cog").mkdir()
    (project.root / ".cog/openapi_schema.json").write_text("an old one")
    labels, manifest = configuration(project, assemble(project).stdout)
    document = json.loads(labels["run.cog.openapi_schema"])
    assert document["components"]["schemas"]["text"]["enum"] == ["yes", "no"]
    with tarfile.open(blob(project, manifest["layers"][-1]["digest"])) as source:
        member = source.extractfile("src/.cog/openapi_schema.json")
        assert member is not None
        assert json.load(member) == document
    printed = CliRunner().invoke(cogn, ["schema", str(project.root)]).stdout
    assert json.loads(printed) == document


def test_a_change_of_what_the_predictor_imports_is_a_change_of_the_document(
    project: SealedProject,
) -> None:
    before, _ = configuration(project, assemble(project).stdout)
    (project.root / "helper.py").write_text("WORDS = ['yes', 'maybe']\n")
    after, _ = configuration(project, assemble(project).stdout)
    key = "run.cog.openapi_schema"
    assert '["yes","no"]' in before[key]
    assert '["yes","maybe"]' in after[key]


def test_labels_can_be_added_and_cogns_own_stay(project: SealedProject) -> None:
    revision = "org.opencontainers.image.revision"
    added = ["--label", f"{revision}=0", "--label", f"{revision}=abc=1", "--label", "team="]
    labels, _ = configuration(project, assemble(project, *added).stdout)
    assert (labels[revision], labels["team"]) == ("abc=1", "")
    assert labels["run.cog.has_init"] == "true"
    for wrong in ("team", "=blue", "run.cog.version=2"):
        assert assemble(project, "--label", wrong).exit_code == 2


def test_a_project_that_trains_says_where_and_with_what(project: SealedProject) -> None:
    config = (project.root / "cog.yaml").read_text("utf-8")
    (project.root / "cog.yaml").write_text(f"{config}train: train.py:train\n")
    (project.root / "train.py").write_text("def train(steps: int) -> str: ...\n")
    labels, manifest = configuration(project, assemble(project).stdout)
    document = json.loads(labels["run.cog.openapi_schema"])
    assert {"/predictions", "/trainings"} <= document["paths"].keys()
    assert json.loads(labels["run.cog.config"])["train"] == "train.py:train"
    config = json.loads(blob(project, manifest["config"]["digest"]).read_bytes())["config"]
    assert "COG_TRAIN_TYPE_STUB=train.py:train" in config["Env"]
    (project.root / ".dockerignore").write_text("train.py\n")
    with pytest.raises(SourceError) as caught:
        assemble(project)
    message = "`train.py`, which has the training, does not go into the image"
    assert caught.value.message == message


def test_an_input_that_only_running_tells_is_an_error_with_both_ways_on(
    project: SealedProject,
) -> None:
    (project.root / "helper.py").write_text("import os\nWORDS = os.listdir('.')\n")
    with pytest.raises(UnknownValueError) as caught:
        assemble(project)
    assert "--openapi-schema" in str(caught.value.hint)
    schema = project.root.parent / "schema.json"
    document = {"openapi": "3.0.2", "components": {"schemas": {"Input": {}, "Output": {}}}}
    schema.write_text(json.dumps(document))
    labels, _ = configuration(project, assemble(project, "--openapi-schema", schema).stdout)
    assert json.loads(labels["run.cog.openapi_schema"]) == document


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"openapi": "3.0.2", "components": 1}', "\0"])
def test_a_file_that_is_no_document_is_refused(project: SealedProject, text: str) -> None:
    schema = project.root.parent / "schema.json"
    schema.write_text(text)
    with pytest.raises(PredictorError) as caught:
        assemble(project, "--openapi-schema", schema)
    assert isinstance(caught.value, CognError)
    assert "is not the OpenAPI document of a model" in caught.value.message
