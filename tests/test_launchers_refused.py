"""What cannot start, or would not do what was asked, is refused before any data is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from fraudlab.errors import FraudlabError
from fraudlab.launching.remote import perform
from fraudlab.limits import READ
from tests.conftest import ROOT, Run
from tests.launched import make_job
from tests.sweeps import results


@pytest.mark.parametrize(
    ("launcher", "library", "extra"),
    [("ray", "ray", "fraudlab[ray]"), ("submitit", "submitit", "fraudlab[slurm]")],
)
def test_a_library_that_is_missing_is_named_before_data_is_read(
    launcher: str,
    library: str,
    extra: str,
    run: Run,
    small_table: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fraudlab.launching.available.find_spec", lambda name: None)
    done = run("train", *small_table, f"launcher={launcher}")
    assert done.code == 2
    assert f"launcher={launcher} needs {library}, which is not installed" in done.err
    assert f"pip install '{extra}'" in done.err
    assert "reading" not in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{slurm_partion: cpu}", "Unknown argument 'partion' for executor 'slurm'"),
        ("{cluster: moon}", "launcher.options.cluster must be slurm or local, got 'moon'"),
        ("{cluster: debug}", "launcher=inline"),
        ("{cpus_per_task: two}", "must be a whole number of at least 1, got 'two'"),
        ("{timeout_min: soon}", "launcher.options"),
    ],
)
def test_options_that_submitit_refuses_are_named_before_data_is_read(
    options: str, said: str, run: Run, small_table: list[str]
) -> None:
    pytest.importorskip("submitit")
    done = run("train", *small_table, "launcher=submitit", f"launcher.options={options}")
    assert done.code == 2
    assert said in done.err
    assert "reading" not in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "launcher=local launcher.address=foo",
            "launcher.address is not read by launcher=local, got 'foo': leave it out"
            " (launcher.address=null), or choose launcher=ray",
        ),
        (
            "launcher=inline launcher.timeout=5m",
            "launcher.timeout is not read by launcher=inline, got '5m': leave it out"
            " (launcher.timeout=null), or choose launcher=local or launcher=ray or"
            " launcher=submitit",
        ),
        ("launcher=inline launcher.memory=1GB", "launcher.memory is not read by launcher=inline"),
        (
            "launcher=ray launcher.options={slurm_partition: cpu}",
            "leave it out (launcher.options=null), or choose launcher=submitit",
        ),
        ("launcher=submitit launcher.address=auto", "launcher.address is not read by"),
    ],
)
def test_a_key_that_the_launcher_does_not_read_is_refused_with_the_way_out(
    words: str, said: str, run: Run, small_table: list[str]
) -> None:
    launcher, key = words.split(" ", 1)
    done = run("train", *small_table, launcher, key)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert "reading" not in done.err
    unset = key.partition("=")[0] + "=null"
    done = run("train", *small_table, launcher.replace("submitit", "local"), unset, "-n")
    assert done.code == 0, done.err


@pytest.mark.parametrize("name", READ)
def test_an_option_lists_what_its_launcher_reads(name: str) -> None:
    text = (ROOT / "conf" / "launcher" / f"{name}.yaml").read_text()
    keys = [line.partition(":")[0] for line in text.splitlines() if not line.startswith("#")]
    assert keys == ["name", *READ[name]]


@pytest.mark.parametrize(
    ("folder", "said"),
    [("outputs", "another fraudlab, or other plugins"), ("elsewhere", "share the output folder")],
)
def test_a_machine_that_would_train_something_else_refuses(
    folder: str, said: str, home: Path
) -> None:
    (home / folder).mkdir()
    with pytest.raises(FraudlabError, match=said):
        perform(make_job(home))
    assert not results(home)
