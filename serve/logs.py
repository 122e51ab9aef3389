"""Log lines: JSON, one per line, written by a thread so that a slow reader stalls no request."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
import traceback
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec

from fraudlab.errors import FraudlabError

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_PENDING_LIMIT = 8 << 20  # bytes that may wait for a slow reader before lines are dropped
_PIPE_BUF = 4096  # a pipe shared by several workers keeps writes up to this size whole
_FILE_CHUNK = 1 << 20
_CLOSE_SECONDS = 2.0
_FRAMES = 20
_STREAMS = {"stdout": 1, "stderr": 2}


def format_time(at: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC, with milliseconds."""
    whole = int(at)
    return f"{_format_second(whole)}.{int((at - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)  # many lines share a second
def _format_second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


class LogSink:
    """Where lines go: appended by the event loop, written by one thread, counted when dropped."""

    def __init__(self, target: str) -> None:
        self.dropped = 0
        self._fd, self._owned = _open(target)
        self._chunk = _FILE_CHUNK if self._fd is None else _chunk_size(self._fd)
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._pending = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def write(self, lines: bytes) -> None:
        """Queue whole lines, or drop them when too much is waiting already."""
        if self._fd is None or not lines:
            return
        with self._lock:
            full = self._pending + len(lines) > _PENDING_LIMIT
            if not full:
                self._pending += len(lines)
        if full:
            self.dropped += lines.count(b"\n")
            return
        self._queue.put(lines)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Write what waits, for a moment at most, and let go of the target."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(_CLOSE_SECONDS)
            stuck, self._thread = self._thread.is_alive(), None
            if stuck:
                return
        if self._owned and self._fd is not None:
            os.close(self._fd)
        self._fd = None

    def _run(self) -> None:
        assert self._fd is not None
        while (lines := self._queue.get()) is not None:
            try:
                for chunk in _whole_lines(lines, self._chunk):
                    _write_all(self._fd, chunk)
            except OSError:
                self.dropped += lines.count(b"\n")
            with self._lock:
                self._pending -= len(lines)


def _open(target: str) -> tuple[int | None, bool]:
    if target == "none":
        return None, False
    if target in _STREAMS:
        return _STREAMS[target], False
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    return os.open(Path(target), flags, 0o640), True


def _chunk_size(handle: int) -> int:
    try:
        mode = os.fstat(handle).st_mode
    except OSError:
        return _PIPE_BUF
    return _FILE_CHUNK if stat.S_ISREG(mode) else _PIPE_BUF


def _whole_lines(lines: bytes, size: int) -> list[bytes]:
    """Cut `lines` into chunks of at most `size` bytes, at line ends (a longer line stays whole)."""
    chunks, start = [], 0
    while len(lines) - start > size:
        end = lines.rfind(b"\n", start, start + size) + 1 or lines.find(b"\n", start) + 1
        chunks.append(lines[start:end])
        start = end
    return [*chunks, lines[start:]] if start < len(lines) else chunks


def _write_all(handle: int, chunk: bytes) -> None:
    while chunk:
        chunk = chunk[os.write(handle, chunk) :]


class JsonFormatter(logging.Formatter):
    """Lines of the logging module (the server's, the libraries') in the same shape.

    An exception is told by its type and frames: its message may quote a transaction. Only
    fraudlab's own messages are known not to.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, Any] = {
            "time": format_time(record.created),
            "level": record.levelname.lower(),
            "event": "log",
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := getattr(record, "request_id", None):
            line["request_id"] = request_id
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line["error"] = type(error).__name__
            line["reason"] = str(error) if isinstance(error, FraudlabError) else None
            frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
            line["frames"] = [f"{at.filename}:{at.lineno} {at.name}" for at in frames]
        return msgspec.json.encode(line).decode()


def logging_config(target: str, level: str) -> dict[str, Any]:
    """Return the logging module's configuration: every logger to the target, as JSON."""
    if target == "none":
        handler: dict[str, Any] = {"class": "logging.NullHandler"}
    elif target in _STREAMS:
        handler = {"class": "logging.StreamHandler", "stream": f"ext://sys.{target}"}
    else:
        handler = {"class": "logging.FileHandler", "filename": target, "encoding": "utf-8"}
    name = level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "serve.logs.JsonFormatter"}},
        "handlers": {"target": {**handler, "formatter": "json"}},
        "root": {"handlers": ["target"], "level": "WARNING"},
        "loggers": {"serve": {"level": name}, "uvicorn": {"level": name}},
    }
