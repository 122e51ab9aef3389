"""Does the service install and run from requirements/serve.txt alone, and score as training did?

Without BUNDLE one is trained first. Needs the package index; writes to a temporary folder only.
The service's environment is made with $PYTHON, by default with the Python that runs this.
Exit code 0 or 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TRIES = 3
STARTUP_SECONDS = STOP_SECONDS = 60
UNWANTED = {
    "scikit-learn", "pandas", "mlflow", "hydra-core", "xgboost", "xgboost-cpu", "lightgbm", "onnx",
    "polars", "scipy", "pyarrow", "imbalanced-learn",
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", nargs="?", type=Path, metavar="BUNDLE")
    given = parser.parse_args().bundle
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the service and the folder go, too
    with tempfile.TemporaryDirectory(prefix="check-serving-") as name:
        folder = Path(name)
        bundle = (given or train(folder)).resolve()
        venv = make_environment(folder / "venv")
        with running_service(folder, venv, bundle) as (service, url):
            same = scores_alike(url, bundle)
        lean = holds_nothing_unwanted(venv)
        stopped = service.returncode == 0
    if not stopped:
        print(f"the service ended with exit code {service.returncode}")
    good = same and lean and stopped
    print("the service serves" if good else "the service is not as it should be")
    return 0 if good else 1


def train(folder: Path) -> Path:
    command = [sys.executable, "-m", "fraudlab.train", "data=simulated_small", "model=xgb"]
    done = subprocess.run(
        [*command, "tracking=disabled"],
        cwd=ROOT,
        env={**os.environ, "FRAUDLAB_HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout)
    return folder / "bundles" / "champion"


def make_environment(venv: Path) -> Path:
    python = os.environ.get("PYTHON", sys.executable)
    subprocess.run([python, "-m", "venv", venv], check=True)
    pip = [venv / "bin" / "pip", "--disable-pip-version-check", "-qq", "install"]
    lock = ["--require-hashes", "--only-binary", ":all:", "-r", ROOT / "requirements" / "serve.txt"]
    for number in range(1, TRIES + 1):
        if subprocess.run([*pip, *lock], check=False).returncode == 0:
            return venv
        print(f"try {number} of {TRIES}: the service's packages were not installed", flush=True)
        if number < TRIES:
            time.sleep(number * 5)
    sys.exit("giving up")


@contextmanager
def running_service(
    folder: Path, venv: Path, bundle: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run it away from the checkout, where only the two packages can be imported by accident."""
    code, log = folder / "code", folder / "log"
    for package in ("fraudlab", "serve"):
        shutil.copytree(ROOT / package, code / package)
    service = subprocess.Popen(
        [venv / "bin" / "python", "-W", "error", "-m", "serve"],
        cwd=code,
        env={
            "PATH": os.environ["PATH"],
            "FRAUDLAB_BUNDLE": str(bundle),
            "FRAUDLAB_PORT": "0",
            "FRAUDLAB_LOG_TARGET": str(log),
        },
    )
    try:
        yield service, find_address(service, log)
    finally:
        service.terminate()
        try:
            service.wait(STOP_SECONDS)
        finally:
            service.kill()


def find_address(service: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < end and service.poll() is None:
        for line in log.read_text().splitlines() if log.exists() else []:
            message = json.loads(line).get("message", "")
            if message.startswith("listening on "):
                return f"http://127.0.0.1:{message.rpartition(' ')[2]}"
        time.sleep(0.1)
    sys.exit(f"the service did not start (exit code {service.poll()})")


def scores_alike(url: str, bundle: Path) -> bool:
    golden = json.loads((bundle / "golden.ndjson").read_text().splitlines()[0])
    ready = ask(f"{url}/readyz")
    answer = ask(f"{url}/predict", json.dumps(golden["features"]).encode())
    print(f"bundle {ready['bundle']}: {ready['golden_rows']} golden rows agree")
    print(f"score {answer['fraud_probability']!r}, expected {golden['score']!r}")
    decision = (answer["fraud_probability"], answer["is_fraud"])
    return decision == (golden["score"], golden["is_fraud"])


def ask(url: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=60) as answer:
        return json.load(answer)


def holds_nothing_unwanted(venv: Path) -> bool:
    (packages,) = (venv / "lib").glob("python*/site-packages")
    found = {each.name: each.version for each in metadata.distributions(path=[str(packages)])}
    size = sum(path.lstat().st_size for path in venv.rglob("*") if path.is_file()) >> 20
    print(f"{packages.parent.name}; {len(found)} packages, {size} MB")
    print(*(f"{name}=={found[name]}" for name in sorted(found, key=str.lower)))
    unwanted = sorted(name for name in found if name.lower() in UNWANTED)
    if unwanted:
        print("not wanted:", *unwanted)
    return not unwanted


if __name__ == "__main__":
    sys.exit(main())
