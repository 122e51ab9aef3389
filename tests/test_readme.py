"""The README's commands, run as they stand in it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.conftest import ROOT

BLOCKS = re.findall(
    r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
)
RUN_BY_HAND = {"make test\n"}  # it runs this very test

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv" / ".dev").exists(), reason="`make setup-dev` has not been run here"
)


@pytest.fixture
def checkout(tmp_path: Path, simulated_cache: Path) -> Path:
    """Return a folder like a checkout after set-up, whose outputs are the test's own."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in {".git", ".cache", "outputs", "bundles", "mlflow.db", "mlartifacts"}:
            (folder / entry.name).symlink_to(entry)
    shutil.copytree(simulated_cache, folder / ".cache")
    return folder


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRAUDLAB_")}
    return {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", **variables}


def shell(script: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def served(command: str, folder: Path, port: int) -> Iterator[None]:
    service = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        env=environment(FRAUDLAB_PORT=str(port), FRAUDLAB_LOG_TARGET="none"),
    )
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert service.poll() is None, f"{command} ended with {service.returncode}"
            time.sleep(0.1)
        yield
    finally:
        service.terminate()
        service.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_payments(file: Path) -> None:
    draw = np.random.default_rng(3)
    count = 3000
    amount = draw.gamma(1.5, 40.0, count).round(2)
    country = draw.choice(["DE", "FR", "US"], count)
    fraud = draw.random(count) < np.where(country == "US", 0.2, 0.02) * np.clip(amount / 60, 0, 3)
    lines = [f"{a},{c},{int(f)}" for a, c, f in zip(amount, country, fraud, strict=True)]
    file.write_text("amount,country,is_fraud\n" + "\n".join(lines) + "\n")


@pytest.mark.slow
def test_the_commands_do_what_the_readme_says(checkout: Path) -> None:
    demo, serve, curl, *rest = [block for block in BLOCKS if block not in RUN_BY_HAND]
    assert demo == "make demo\n"
    assert serve == "make serve\n"
    assert "Leaderboard" in shell(demo, checkout)
    port = free_port()
    with served(serve, checkout, port):
        answer = shell(curl.replace(":8000", f":{port}"), checkout)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/docs") as page:
            assert page.status == 200
    assert set(msgspec.json.decode(answer)) == {
        "is_fraud", "fraud_probability", "risk_level", "threshold", "prediction_id", "bundle",
    }  # fmt: skip
    write_payments(checkout / "payments.csv")
    for block in rest:
        script = block if ".venv" in block else f". .venv/bin/activate\n{block}"
        shell(script, checkout)
    assert (checkout / "features.parquet").is_file()


def test_the_help_of_make_lists_its_targets() -> None:
    told = shell("make", ROOT)
    for target in ("demo", "test", "serve", "mlflow", "lock", "check", "bench", "bench-serve"):
        assert re.search(rf"^{target}\b", told, re.MULTILINE), target
