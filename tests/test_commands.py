"""The edges of every command: help, exit codes, one paragraph on standard error."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from fraudlab import registry
from fraudlab.composition import Composer
from fraudlab.config import GROUPS, parse
from tests.conftest import INTERRUPTED, ROOT, run_process

COMMANDS = ("train", "tune", "validate", "prepare", "promote", "leaderboard", "report", "plugins")
HEAVY = [
    "sklearn",
    "imblearn",
    "xgboost",
    "lightgbm",
    "mlflow",
    "pandas",
    "polars",
    "scipy",
    "onnx",
    "optuna",
]
BUFFERED = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}
# Runs a command and tells, after everything else on standard error, which libraries it imported.
TELLING = (
    "import atexit, runpy, sys\n"
    f"heavy = {HEAVY!r}\n"
    "tell = lambda: print('imported', [n for n in heavy if n in sys.modules], file=sys.stderr)\n"
    "atexit.register(tell)\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)\n"
)


def told_imports(folder: Path, module: str, *words: str) -> tuple[int, str, str]:
    (folder / "telling.py").write_text(TELLING)
    done = run_process("telling", f"fraudlab.{module}", *words, cwd=folder)
    return done.code, done.out, done.err


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_on_standard_output(home, command):
    done = run_process(f"fraudlab.{command}", "anything", "--help", cwd=home)
    assert (done.code, done.err) == (0, "")
    assert f"python -m fraudlab.{command}" in done.out
    assert len(done.out.splitlines()) >= 6
    assert files_in(home) == set()


def test_the_help_of_train_lists_every_option(run):
    text = run("train", "-h").out
    composer = Composer()
    for group in (*GROUPS, "tracking", "launcher", "experiment"):
        assert any(
            line.split(maxsplit=1) == [group, ", ".join(composer.options(group))]
            for line in text.splitlines()
        ), group


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("train", ["modle=xgb"]),
        ("train", ["model.params.max_dept=3"]),
        ("train", ["model=xgb", "model.params.learning_rate=7", "-m"]),
        ("train", ["model=xgb,rf", "model.params.max_depth=deep", "-m"]),
        ("train", ["sampler=smote", "calibration=prior"]),
        ("validate", ["experiment=nope"]),
        ("plugins", ["modle"]),
        ("tune", ["hparams_search=xgbb", "budget=1m"]),
        ("tune", ["hparams_search=xgb", "budget=1m", "model.params.max_dept=3"]),
    ],
)
def test_a_mistake_ends_with_2_and_one_paragraph_before_anything_heavy(home, module, words):
    code, out, err = told_imports(home, module, *words)
    assert (code, out) == (2, "")
    paragraph, imported = err.splitlines()
    assert paragraph.startswith("error: ")
    assert "Traceback" not in err
    assert imported == "imported []"
    assert files_in(home) == {"telling.py"}


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
def test_v_shows_the_traceback(run, flag):
    done = run("train", flag, "seed=abc")
    assert done.code == 2
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("error: seed must be")


@pytest.mark.parametrize(
    "words", [["-m", "model=tree,logreg"], ["model=tree,logreg", "--multirun"]]
)
def test_m_may_stand_anywhere(run, small_table, words):
    done = run("validate", *words, *small_table)
    assert done.code == 0
    assert done.out.startswith("2 candidates: names, parameters and bounds are right\n")


@pytest.mark.parametrize("words", [["--cfg"], ["--cfg", "job"], ["--cfg=job"], ["-c", "job"]])
def test_cfg_prints_the_composed_configuration(run, words):
    done = run("train", *words, "model=tree_depth2", "seed=7")
    assert done.code == 0
    config = parse(yaml.safe_load(done.out))
    assert config == Composer().plan(["model=tree_depth2", "seed=7"]).candidates[0].config


def test_cfg_of_a_sweep_prints_every_candidate(run):
    done = run("train", "model=tree,rf", "--cfg", "-m")
    assert [each["model"]["name"] for each in yaml.safe_load_all(done.out)] == ["tree", "rf"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["-x"], "no flag '-x'"),
        (["--cfg=hydra"], "--cfg prints the composed configuration"),
        (["--config-dir"], "--config-dir needs a folder"),
        (["--config-dir=nowhere"], "there is no folder 'nowhere'"),
        (["job"], "no group or key 'job'"),
    ],
)
def test_a_flag_that_does_not_fit_is_refused(run, words, text):
    done = run("train", *words)
    assert done.code == 2
    assert text in done.err


@pytest.mark.parametrize(
    ("command", "flag", "allowed"),
    [
        ("train", "-m=2", "-m, --dry-run, --cfg, --config-dir, -v, --help"),
        ("validate", "--cfg", "-m, --config-dir, -v, --help"),
        ("validate", "-c", "-m, --config-dir, -v, --help"),
        ("prepare", "--cfg=job", "--config-dir, -v, --help"),
        ("prepare", "-m", "--config-dir, -v, --help"),
        ("prepare", "--multirun", "--config-dir, -v, --help"),
    ],
)
def test_a_flag_that_means_nothing_to_a_command_is_refused(run, command, flag, allowed):
    done = run(command, flag, "data=simulated_small", "output=out.parquet")
    assert (done.code, done.err) == (2, f"error: no flag {flag!r}; flags are {allowed}\n")


def test_a_delay_that_leaks_labels_is_an_error_of_the_asker(run):
    done = run("train", "features.params.delay_days=1")
    assert done.code == 2
    assert "split.params.delay_days=7" in done.err


def test_make_clean_cache_clears_the_home_alone(home, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for folder in (home, elsewhere):
        (folder / ".cache" / "fraudlab").mkdir(parents=True)
        (folder / ".cache" / "others").touch()
        (folder / "kept").touch()
    command = ["make", "-f", str(ROOT / "Makefile"), "clean-cache"]
    subprocess.run(command, cwd=elsewhere, check=True, capture_output=True)
    assert not (home / ".cache" / "fraudlab").exists()
    assert (home / "kept").exists()
    assert (home / ".cache" / "others").exists()
    assert (elsewhere / ".cache" / "fraudlab").exists()
    (elsewhere / ".cache" / "others").unlink()
    unset = {name: value for name, value in os.environ.items() if name != "FRAUDLAB_HOME"}
    subprocess.run(command, cwd=elsewhere, env=unset, check=True, capture_output=True)
    assert not (elsewhere / ".cache").exists()
    assert (elsewhere / "kept").exists()


# validate


def test_validate_checks_the_table_trains_nothing_and_leaves_the_cache_only(run, home, small_table):
    before = files_in(home)
    done = run("validate", *small_table, "model=rf,tree", "-m")
    assert done.code == 0
    assert done.out.splitlines()[0] == "2 candidates: names, parameters and bounds are right"
    assert done.out.splitlines()[1].endswith("the split fits")
    shutil.rmtree(home / ".cache")
    assert files_in(home) == before


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("data.amount=amont", "did you mean 'amount'?"),
        ("split.params.train=0.00001", "split"),
        ("split=temporal", "data.time"),
    ],
)
def test_validate_finds_what_does_not_fit_the_table(run, small_table, word, text):
    key = word.partition("=")[0]
    words = [each for each in small_table if not each.startswith(f"{key}=")]
    done = run("validate", *words, word)
    assert done.code == 2
    assert text in done.err


def test_validate_leaves_a_simulation_alone(run, home):
    done = run("validate", "experiment=demo")
    assert (done.code, done.out) == (0, "6 candidates: names, parameters and bounds are right\n")
    assert files_in(home) == set()


def test_validate_counts_what_does_not_apply(run):
    done = run("validate", "sampler=identity,smote", "calibration=prior", "-m")
    assert "1 of them do not apply" in done.out


# plugins


@pytest.mark.parametrize("group", GROUPS)
def test_plugins_lists_a_group_with_types_a_person_reads(run, group):
    done = run("plugins.__main__", group)
    assert done.code == 0
    for name in registry.names(group):
        assert f"\n  {name}: " in done.out
        for parameter, _ in registry.signature(group, name):
            assert f"      {registry.dotted(group, parameter.name)}=" in done.out
    assert "Meta" not in done.out
    assert "Annotated" not in done.out


def test_plugins_tells_bounds_and_choices(run):
    text = run("plugins.__main__").out
    assert "model.params.learning_rate=0.3  (float in (0, 1])" in text
    assert "model.params.n_estimators=100  (int in [1, 1000000])" in text
    assert "model.params.tree_method='hist'  (hist | exact | approx)" in text
    assert "model.params.max_depth=null  (int in [1, 10000] or null)" in text


def test_plugins_of_an_unknown_group_names_the_nearest(run):
    done = run("plugins.__main__", "modle")
    assert done.code == 2
    assert "no group 'modle'; did you mean 'model'?" in done.err
    assert run("plugins.__main__", "model", "sampler").code == 2


# key=value commands


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["sweeep=latest"], "no argument 'sweeep'; did you mean 'sweep'?"),
        (["format=tabel"], "format must be table | json | csv, got 'tabel'"),
        (["format=csv", "format=json"], "format is given twice, 'csv' and 'json'"),
        (["latest"], "expected key=value, got 'latest'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(run, words, text):
    done = run("leaderboard", *words)
    assert done.code == 2
    assert text in done.err


def test_an_argument_that_is_missing_is_named(run):
    done = run("promote")
    assert done.code == 2
    assert "run=... is missing" in done.err


# Output that nobody takes, and output that cannot be written


@pytest.mark.parametrize("words", ["fraudlab.plugins", "fraudlab.train --help"])
def test_a_reader_that_goes_away_is_no_failure(home, words):
    script = f"set -o pipefail; {sys.executable} -m {words} | head -1"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=home, env=BUFFERED,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("target", "code", "text"),
    [
        (">/dev/full", 1, "error: No space left on device; nothing was left half-written\n"),
        (">&-", 0, ""),
    ],
)
@pytest.mark.parametrize("words", ["fraudlab.plugins", "fraudlab.train --help"])
def test_a_full_or_closed_output_ends_in_one_line(home, words, target, code, text):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m {words} {target}"],
        cwd=home, env=BUFFERED,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, text)


def test_an_output_folder_that_cannot_be_written_ends_in_one_line(
    run, home, small_table, monkeypatch
):
    (home / "file").touch()
    monkeypatch.setenv("FRAUDLAB_HOME", str(home / "file" / "below"))
    done = run("train", "model=tree", *small_table)
    assert done.code == 1
    last = done.err.splitlines()[-1]
    assert last.startswith("error: Not a directory: ")
    assert last.endswith("nothing was left half-written")
    assert "Traceback" not in done.err
    assert files_in(home) == {"file", "table.csv"}


def test_ctrl_c_ends_with_130_and_no_traceback(home, small_table):
    words = ["model=rf", "model.params.n_estimators=100000", *small_table]
    done = subprocess.Popen(
        [sys.executable, "-m", "fraudlab.train", *words],
        cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for _ in range(600):
        if list(home.glob("outputs/sweeps/*/plan.json")):
            break
        assert done.poll() is None, done.communicate()
        time.sleep(0.1)
    done.send_signal(signal.SIGINT)
    _, err = done.communicate(timeout=60)
    assert done.returncode in INTERRUPTED
    assert "interrupted; what was finished is kept" in err
    assert "Traceback" not in err


def test_a_candidate_that_fails_ends_with_1_and_its_reason(run, small_table):
    words = ["sampler=identity,smote", "sampler.params={}", "model=tree", "-m"]
    done = run("train", *words, *small_table)
    assert done.code == 0
    few = ["sampler=smote", "sampler.params.k_neighbors=500", "model=tree"]
    done = run("train", *few, *small_table)
    assert done.code == 1
    assert "Traceback" not in done.err
    assert "fraud" in done.out + done.err
