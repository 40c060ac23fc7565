"""What a server is started with, read by the official classes; and the smoke test in export/."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.helpers import CHECKOUT
from tfdeconv.cli.main import main
from tfdeconv.export.server_files import server_files, write_server_files

SMOKE_TEST = CHECKOUT / "export" / "serving" / "smoke_test.sh"


def test_models_are_what_the_server_reads() -> None:
    pytest.importorskip("tensorflow_serving", reason="needs the stubs: tensorflow-serving-api")
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    text = server_files("/srv/deconvnet")["models.config"]
    found = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (config,) = found.model_config_list.config
    assert (config.name, config.base_path) == ("deconvnet", "/models/deconvnet")
    assert config.model_platform == "tensorflow" and config.model_version_policy.latest


def test_batching_names_what_the_server_knows() -> None:
    # Its message is in no package; these are fields of session_bundle_config.proto.
    lines = server_files("/srv/deconvnet")["batching.config"].splitlines()
    values = [line for line in lines if not line.startswith("#")]
    assert [re.fullmatch(r"(\w+) \{ value: \d+ \}", line)[1] for line in values] == [
        "max_batch_size",
        "batch_timeout_micros",
        "max_enqueued_batches",
        "num_batch_threads",
    ]


def test_nothing_but_this_machine_reaches_the_server() -> None:
    text = server_files("/srv/deconvnet")["compose.yaml"]
    ports = re.findall(r'- "(.+:\d+)"', text)
    assert ports == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    assert "--enable_model_warmup=true" in text and "--model_config_file=/config/" in text


@pytest.mark.parametrize("name", ["plain", 'quo"te', "two words: x", "$HOME", "Größe\\"])
def test_folders_of_any_name_are_mounted(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    out = write_server_files(folder, tmp_path / "server")
    (source,) = re.findall(r'source: (".*")', (out / "compose.yaml").read_text("utf-8"))
    assert json.loads(source).replace("$$", "$") == str(folder)
    assert source.count("$") == 2 * name.count("$")


def test_export_writes_them(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tfdeconv.models.load_for_inference", lambda path: path)
    monkeypatch.setattr("tfdeconv.export.export_saved_model", lambda *_, **__: "served/1")
    assert main(["export", "runs/stage2", "served", "--server", "server"]) == 0
    assert sorted(path.name for path in Path("server").iterdir()) == sorted(server_files("x"))
    assert f'source: "{tmp_path}/served"' in Path("server/compose.yaml").read_text()
    assert "docker compose -f server/compose.yaml up" in capsys.readouterr().out


def test_the_smoke_test_says_how_to_use_it() -> None:
    for words, status in ((["--help"], 0), ([], 2), (["served"], 2)):
        process = subprocess.run([SMOKE_TEST, *words], capture_output=True, text=True, check=False)
        assert process.returncode == status
        assert (process.stdout + process.stderr).startswith("Usage: export/serving/smoke_test.sh")
