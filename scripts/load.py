"""Load for one address: wrk where it is installed, a client of our own otherwise.

Both keep `connections` open, send the next request when the answer is there, and run in a process
of their own, pinned to one core.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
function done(summary, latency)
  local failed = summary.errors
  io.stderr:write(string.format(
    '{{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "failed": %d}}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, failed.connect + failed.read + failed.write + failed.timeout
    + failed.status))
end
"""


@dataclass(frozen=True)
class Slice:
    """What a stretch of load met; times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    failed: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Let the processes started inside run on `core` alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def run(
    port: int, path: str, body: bytes, *, seconds: float, connections: int, core: int, wrk: bool
) -> Slice:
    """Return what POSTing `body` for `seconds` met."""
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        file, script = Path(folder, "body"), Path(folder, "post.lua")
        file.write_bytes(body)
        script.write_text(_SCRIPT.format(body=file))
        url = f"http://127.0.0.1:{port}{path}"
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
        command += ["--timeout", "30s", "-s", str(script), url]
        if not wrk:
            command = [sys.executable, __file__, str(port), path, str(file), str(seconds)]
            command += [str(connections)]
        with pinned(core):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Slice(**json.loads(done.stderr))


class Connection:
    """A socket with one request under way."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._received = bytearray()

    def send(self) -> None:
        self._received.clear()
        self.started = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> int:
        """Read what is there; return the status once the answer is complete, 0 before."""
        self._received += self.socket.recv(1 << 20)
        head, end, content = self._received.partition(b"\r\n\r\n")
        if not end:
            return 0
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return int(head[9:12]) if len(content) >= length else 0


def send_all(port: int, path: str, body: bytes, seconds: float, connections: int) -> Slice:
    """Load the address from this process."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        connection = Connection(port, request)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send()
    times: list[float] = []
    failed, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds or not times:
        for key, _ in selector.select(seconds):
            connection = key.data
            if status := connection.receive():
                times.append(time.perf_counter() - connection.started)
                failed += status != 200
                connection.send()
    whole = time.perf_counter() - started
    times.sort()
    p50, p99 = (1000 * times[int(len(times) * share)] for share in (0.5, 0.99))
    return Slice(len(times), whole, p50, p99, failed)


if __name__ == "__main__":
    to_port, to_path, file_name, for_seconds, count = sys.argv[1:]
    found = send_all(
        int(to_port), to_path, Path(file_name).read_bytes(), float(for_seconds), int(count)
    )
    print(json.dumps(asdict(found)), file=sys.stderr)
