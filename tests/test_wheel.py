"""The wheel carries what an installed fraudlab needs: both packages, the YAML, the page."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.conftest import ROOT, run_process


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_it_holds_every_yaml_and_the_page_and_no_tests(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    yaml = {
        f"fraudlab/conf/{p.relative_to(ROOT / 'conf')}" for p in (ROOT / "conf").rglob("*.yaml")
    }
    assert yaml <= names
    assert "serve/page/docs.html" in names
    assert not [name for name in names if name.startswith(("tests/", "scripts/", "conf/"))]


def test_the_base_install_asks_for_nothing_of_training(wheel):
    with zipfile.ZipFile(wheel) as content:
        (metadata,) = (name for name in content.namelist() if name.endswith("METADATA"))
        required = Parser().parsestr(content.read(metadata).decode()).get_all("Requires-Dist") or []
    base = {re.match(r"[\w-]+", line)[0] for line in required if "extra ==" not in line}
    assert base == {
        "httptools", "litestar", "msgspec", "numpy", "onnxruntime", "prometheus-client",
        "uvicorn", "uvloop",
    }  # fmt: skip


def test_the_installed_package_composes_from_its_own_yaml(wheel, tmp_path):
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    done = run_process(
        "fraudlab.validate", "data=simulated_small", cwd=tmp_path, PYTHONPATH=str(installed)
    )
    assert done.code == 0, done.err
    assert "1 candidate" in done.out
