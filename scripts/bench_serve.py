"""Measure the service against the older one, in the same run, on one core.

    python scripts/bench_serve.py                    # make bench-serve
    python scripts/bench_serve.py --seconds 2 --rounds 2 --load python

Trains small bundles on a made-up table of creditcard.csv's shape, starts all services pinned to
core 0 and loads one after the other from core 1, in turns whose order alternates. Ours runs with
its log and its figures on. "bare" is decode, model and encode alone, around which no service can
be built that is faster. Everything is written to a temporary folder and removed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import load
import numpy as np
import psutil

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"
ROWS, FRAUD_SHARE, BATCH = 20_000, 0.02, 1000
SERVER_CORE, LOAD_CORE = 0, 1
OLDER = "older service"


@dataclass
class Service:
    """A running service, and the slices it was measured in."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    slices: dict[str, list[load.Slice]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, path: str, body: bytes, options: argparse.Namespace, seconds: float) -> None:
        before = self._cpu_seconds()
        found = load.run(
            self.port,
            path,
            body,
            seconds=seconds,
            connections=options.connections,
            core=LOAD_CORE,
            wrk=options.load == "wrk",
        )
        if found.failed:
            sys.exit(f"{self.name} failed {found.failed} of {found.requests} requests to {path}")
        self.slices.setdefault(path, []).append(found)
        used = (self._cpu_seconds() - before) / found.requests
        self.cpu.setdefault(path, []).append(1e6 * used)

    def _cpu_seconds(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def median(self, path: str, name: str) -> float:
        return statistics.median(getattr(one, name) for one in self.slices[path])


def write_table(path: Path) -> None:
    """Write a table of creditcard.csv's shape in which fraud can be learned."""
    random = np.random.default_rng(3)
    label = (random.random(ROWS) < FRAUD_SHARE).astype(int)
    values = random.normal(size=(ROWS, 28))
    values[label == 1, :8] += random.normal(1.5, 0.5, size=8)
    time_ = np.sort(random.integers(0, 172_800, ROWS))
    table = np.column_stack([time_, values, random.gamma(0.5, 180, ROWS).round(2), label])
    header = ",".join(["Time", *(f"V{number}" for number in range(1, 29)), "Amount", "Class"])
    formats = ["%d", *["%.6f"] * 28, "%.2f", "%d"]
    np.savetxt(path, table, fmt=formats, delimiter=",", header=header, comments="")


def environment(**variables: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FRAUDLAB_")}
    return {**kept, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true", **variables}


def train(table: Path, home: Path) -> dict[str, Path]:
    """Return the bundles of an xgb and a logreg candidate."""
    command = ["-m", "fraudlab.train", "data=ulb", f"data.path={table}", "model=xgb,logreg"]
    subprocess.run(
        [sys.executable, *command, "tracking=disabled", "-m"],
        cwd=home,
        env=environment(FRAUDLAB_HOME=str(home)),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return {name: next((home / "bundles").glob(f"*-{name}-*")) for name in ("xgb", "logreg")}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def started(name: str, home: Path, *command: str, **variables: str) -> Iterator[Service]:
    """Run a service on the server core until the block ends; `PORT` in its words is its port."""
    port = str(free_port())
    words = [sys.executable, *(word.replace("PORT", port) for word in command)]
    log = (home / f"{name.replace(' ', '-')}.log").open("wb")
    given = environment(**{key: text.replace("PORT", port) for key, text in variables.items()})
    with load.pinned(SERVER_CORE):
        process = subprocess.Popen(words, cwd=home, env=given, stdout=log, stderr=log)
    try:
        service = Service(name, process, int(port))
        wait_until_open(service, Path(log.name))
        yield service
    finally:
        process.terminate()
        process.wait()
        log.close()


def wait_until_open(service: Service, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and service.process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", service.port)).close()
            return
        time.sleep(0.1)
    sys.exit(f"{service.name} did not start:\n{log.read_text()}")


def start_all(stack: contextlib.ExitStack, home: Path) -> tuple[list[Service], bytes]:
    """Return the running services and a request that all of them answer."""
    table = home / "creditcard.csv"
    write_table(table)
    bundles = train(table, home)

    def start(name: str, *command: str, **variables: str) -> Service:
        return stack.enter_context(started(name, home, *command, **variables))

    services = [
        start(OLDER, str(SCRIPTS / "older_service.py"), str(table), "--port", "PORT"),
        *(
            start(
                f"ours, {model}", "-m", "serve", FRAUDLAB_BUNDLE=str(bundle), FRAUDLAB_PORT="PORT"
            )
            for model, bundle in bundles.items()
        ),
        *(
            start(f"bare, {model}", str(SCRIPTS / "bare_service.py"), str(bundle), "--port", "PORT")
            for model, bundle in bundles.items()
        ),
    ]
    first = (bundles["logreg"] / "golden.ndjson").read_bytes().partition(b"\n")[0]
    return services, json.dumps(json.loads(first)["features"]).encode()


def measure(services: list[Service], path: str, body: bytes, options: argparse.Namespace) -> None:
    for service in services:
        warm = urllib.request.Request(
            f"http://127.0.0.1:{service.port}{path}", body, {"Content-Type": "application/json"}
        )
        for _ in range(20):
            urllib.request.urlopen(warm).read()
    for number in range(options.rounds):
        for service in services if number % 2 == 0 else reversed(services):
            service.measure(path, body, options, options.seconds)


def print_table(services: list[Service], path: str, rows: int) -> None:
    unit = "rows/s" if rows > 1 else "req/s"
    print(f"\nPOST {path}, {rows} {'rows' if rows > 1 else 'row'}; median of slices")
    print(f"{'':16}{unit:>9}{'ratio':>8}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>9}{'CPU ratio':>11}")
    older = services[0]
    for service in services:
        rate, cpu = service.median(path, "rate"), statistics.median(service.cpu[path])
        ratio = rate / older.median(path, "rate")
        spared = statistics.median(older.cpu[path]) / cpu
        print(
            f"{service.name:16}{rate * rows:9,.0f}{ratio:7.1f}x"
            f"{service.median(path, 'p50'):9.2f}{service.median(path, 'p99'):9.2f}"
            f"{cpu:9,.0f}{spared:10.1f}x"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3, help="length of a slice (3)")
    parser.add_argument("--rounds", type=int, default=4, help="slices of each service (4)")
    parser.add_argument("--connections", type=int, default=16, help="kept open (16)")
    parser.add_argument(
        "--load",
        choices=("wrk", "python"),
        default="wrk" if load.has_wrk() else "python",
        help="load generator (wrk if installed)",
    )
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed, one for the service and one for its load")
    with (
        tempfile.TemporaryDirectory(prefix="bench-serve-") as home,
        contextlib.ExitStack() as stack,
    ):
        services, row = start_all(stack, Path(home))
        print(f"one core, {options.connections} connections, load by {options.load}")
        measure(services, "/predict", row, options)
        print_table(services, "/predict", 1)
        batch = b'{"transactions":[' + b",".join([row] * BATCH) + b"]}"
        options.connections = min(options.connections, 4)
        measure(services[:3], "/predict/batch", batch, options)
        print_table(services[:3], "/predict/batch", BATCH)


if __name__ == "__main__":
    main()
