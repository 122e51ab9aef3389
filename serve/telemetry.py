"""What happened, told twice: as log lines and as figures.

A request only appends an event. Events become lines and figures in bulk: when many wait, a moment
after the first, before the figures are read, and when the service stops.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from serve.figures import (
    DROPPED,
    DURATIONS,
    FRAUD,
    INFERENCE,
    LEGITIMATE,
    PREDICTIONS,
    REQUESTS,
    SCORE,
    Tally,
    add_up,
)
from serve.logs import LEVELS, LogSink, format_time
from serve.model import Scored
from serve.settings import Settings
from serve.workers import WorkerFiles

FLUSH_SECONDS = 0.05
FLUSH_EVENTS = 512
CHAMPION = "champion"


class RequestEvent(msgspec.Struct, frozen=True, gc=False):
    """A request that was answered; `route` is a template, never what the client wrote."""

    at: float
    request_id: str
    method: str
    route: str
    status: int
    seconds: float
    size: int


class PredictionEvent(msgspec.Struct, frozen=True, gc=False):
    """A request that was scored."""

    at: float
    request_id: str
    scored: Scored


class _RequestLine(msgspec.Struct, frozen=True, gc=False):
    time: str
    level: str
    event: str
    request_id: str
    method: str
    route: str
    status: int
    duration_ms: float
    bytes: int


class _PredictionLine(msgspec.Struct, frozen=True, gc=False):
    time: str
    level: str
    event: str
    request_id: str
    bundle: str
    transactions: int
    fraud: int
    legitimate: int
    duration_ms: float
    score: float | UnsetType = UNSET


class Telemetry:
    """The service's events, figures and log, of one worker.

    `in_flight` is the number of requests being answered; the edge keeps it.
    """

    def __init__(self, settings: Settings) -> None:
        self.in_flight = 0
        self.tally = Tally()
        self._events: list[RequestEvent | PredictionEvent] = []
        self._sink = LogSink(settings.log_target)
        self._least = LEVELS[settings.log_level]
        self._encode = msgspec.json.Encoder().encode_lines
        self._timer: asyncio.TimerHandle | None = None
        self._reported = 0
        folder = settings.metrics_folder
        self._files = WorkerFiles(Path(folder)) if folder else None

    def start(self) -> None:
        """Begin to share figures, when there are other workers to share them with."""
        if self._files is not None:
            self._files.publish(self.tally)
            self._tick()

    def close(self) -> None:
        """Tell everything that waits and stop."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._sink.close()

    def append(self, event: RequestEvent | PredictionEvent) -> None:
        """Take an event; its line and figures follow within `FLUSH_SECONDS`."""
        self._events.append(event)
        if len(self._events) >= FLUSH_EVENTS:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._tick)

    def record_prediction(self, request_id: str, scored: Scored) -> None:
        """Take the record of a request that was scored."""
        self.append(PredictionEvent(time.time(), request_id, scored))

    async def read(self) -> Tally:
        """Return the figures of all workers, everything up to now included."""
        self.flush()
        if self._files is None:
            return self.tally
        return add_up([self.tally, *await self._files.read_others()])

    def flush(self) -> None:
        """Turn the events that wait into lines and figures."""
        events, self._events = self._events, []
        lines = [line for event in events if (line := self._count(event)) is not None]
        if lines:
            self._sink.write(self._encode(lines))
        if self._sink.dropped > self._reported:
            self.tally.add(DROPPED, amount=self._sink.dropped - self._reported)
            self._reported = self._sink.dropped
        changed = bool(events) or self.tally.in_flight != self.in_flight
        self.tally.in_flight = self.in_flight
        if self._files is not None:
            if changed:
                self._files.publish(self.tally)
            else:
                self._files.touch()

    def _tick(self) -> None:
        self._timer = None
        self.flush()
        if self._files is not None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._tick)

    def _count(
        self, event: RequestEvent | PredictionEvent
    ) -> _RequestLine | _PredictionLine | None:
        if isinstance(event, PredictionEvent):
            return self._count_prediction(event)
        status = str(event.status)
        self.tally.add(REQUESTS, event.method, event.route, status)
        self.tally.observe(DURATIONS, event.method, event.route, values=(event.seconds,))
        level = "error" if status >= "500" else "warning" if status >= "400" else "info"
        if LEVELS[level] < self._least:
            return None
        return _RequestLine(
            time=format_time(event.at),
            level=level,
            event="request",
            request_id=event.request_id,
            method=event.method,
            route=event.route,
            status=event.status,
            duration_ms=round(event.seconds * 1000, 3),
            bytes=event.size,
        )

    def _count_prediction(self, event: PredictionEvent) -> _PredictionLine | None:
        scored, tally = event.scored, self.tally
        rows = len(scored.scores)
        for decision, number in ((FRAUD, scored.frauds), (LEGITIMATE, rows - scored.frauds)):
            if number:
                tally.add(PREDICTIONS, scored.bundle, CHAMPION, decision, amount=number)
        tally.observe(SCORE, scored.bundle, CHAMPION, values=scored.scores)
        tally.observe(INFERENCE, scored.bundle, "score", values=(scored.seconds,))
        if LEVELS["info"] < self._least:
            return None
        return _PredictionLine(
            time=format_time(event.at),
            level="info",
            event="prediction",
            request_id=event.request_id,
            bundle=scored.bundle,
            transactions=rows,
            fraud=scored.frauds,
            legitimate=rows - scored.frauds,
            duration_ms=round(scored.seconds * 1000, 3),
            score=scored.scores[0] if rows == 1 else UNSET,
        )
