"""Settings come from the environment, and a wrong one is told in one paragraph."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from serve.server import main
from serve.settings import VARIABLES, SettingsError, read_settings
from tests.serve.conftest import ROOT, service_environment


def test_the_defaults():
    settings = read_settings({"HOME": "/x", "PATH": ""})
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert settings.bundle_path == Path.cwd() / "bundles/champion"
    assert settings.batch_rows == 10_000


def test_the_bundle_is_relative_to_the_home():
    home = {"FRAUDLAB_HOME": "/srv/lab"}
    assert read_settings(home).bundle_path == Path("/srv/lab/bundles/champion")
    assert read_settings({**home, "FRAUDLAB_BUNDLE": "b"}).bundle_path == Path("/srv/lab/b")
    assert read_settings({**home, "FRAUDLAB_BUNDLE": "/b"}).bundle_path == Path("/b")


def test_values_are_converted():
    settings = read_settings(
        {"FRAUDLAB_PORT": "0", "FRAUDLAB_BODY_SECONDS": "1.5", "FRAUDLAB_LOG_LEVEL": "error"}
    )
    assert (settings.port, settings.body_seconds, settings.log_level) == (0, 1.5, "error")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FRAUDLAB_PORT", "http"),
        ("FRAUDLAB_PORT", "65536"),
        ("FRAUDLAB_PORT", ""),
        ("FRAUDLAB_WORKERS", "0"),
        ("FRAUDLAB_WORKERS", "1.5"),
        ("FRAUDLAB_BODY_SECONDS", "nan"),
        ("FRAUDLAB_BODY_SECONDS", "-1"),
        ("FRAUDLAB_LOG_LEVEL", "INFO!"),
        ("FRAUDLAB_BUNDLE", ""),
        ("FRAUDLAB_METRICS_FOLDER", "/tmp"),
    ],
)
def test_a_wrong_value_is_named(name, text):
    with pytest.raises(SettingsError, match=name):
        read_settings({name: text})


def test_an_unknown_setting_names_the_nearest():
    with pytest.raises(SettingsError, match=r"FRAUDLAB_PROT; did you mean FRAUDLAB_PORT\?"):
        read_settings({"FRAUDLAB_PROT": "1"})


def test_settings_of_training_are_left_alone():
    plain = read_settings({})
    assert read_settings({"FRAUDLAB_THREADS": "1"}) == plain
    assert read_settings({"FRAUDLAB_THREADS": "many"}) == plain  # training's to judge
    with pytest.raises(SettingsError, match="FRAUDLAB_THREAD;"):
        read_settings({"FRAUDLAB_THREAD": "1"})


def test_a_wrong_value_is_told_with_what_is_expected():
    with pytest.raises(SettingsError, match=r"Expected: port to listen on; 0 picks one \(default"):
        read_settings({"FRAUDLAB_PORT": "http"})


def test_help_documents_every_variable(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ["FRAUDLAB_HOME", *VARIABLES])


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "serve", *arguments],
        cwd=ROOT,
        env=service_environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("variables", [{"FRAUDLAB_PORT": "x"}, {"FRAUDLAB_NONSENSE": "1"}])
def test_a_bad_setting_ends_with_2_and_one_paragraph(variables):
    done = run(**variables)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert next(iter(variables)) in done.stderr


def test_a_bad_argument_ends_with_2():
    assert run("--prot").returncode == 2


@pytest.mark.parametrize(
    "variables", [{"FRAUDLAB_HOST": "203.0.113.1"}, {"FRAUDLAB_LOG_TARGET": "/no/such/folder/log"}]
)
def test_what_cannot_be_opened_ends_with_1_and_one_paragraph(variables):
    done = run(**variables)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
