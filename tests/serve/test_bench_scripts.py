"""The bench scripts explain themselves, and their own load client counts what it meets."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

from tests.serve.conftest import ROOT, service_environment


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / name), *arguments],
        env=service_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "name", ["bench_serve.py", "bench.py", "bench_bootstrap.py", "check_serving.py"]
)
def test_help_says_what_a_script_does(name):
    done = script(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
    assert len(done.stdout) > 400


@pytest.mark.parametrize("good", [True, False])
def test_the_load_client_agrees_with_the_services_own_figures(run_server, ulb, tmp_path, good):
    server = run_server(ulb.path)
    body = tmp_path / "body"
    body.write_text(json.dumps(ulb.rows[0] if good else {}))
    done = script("load.py", str(server.port), "/predict", str(body), "0.3", "4")
    found = json.loads(done.stderr)
    figures = httpx.get(f"{server.url}/metrics").json()
    # Each of the four connections may have left a request under way; one was the fixture's own.
    assert 0 < found["requests"] < figures["total_requests"] <= found["requests"] + 5
    assert found["failed"] == (0 if good else found["requests"])
    assert 0 < found["p50"] <= found["p99"]
