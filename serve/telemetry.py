"""What happened, told twice: as log lines and as figures.

A request only appends an event. Events become lines and figures in bulk: when many wait, a moment
after the first, before the figures are read, and when the service stops. In bulk both cost a
fraction of what they cost one by one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
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
WARNED, FAILED = 400, 500  # the statuses from which a line is a warning, an error


class RequestEvent(msgspec.Struct, frozen=True, gc=False):
    """A request that was answered, and what was scored for it.

    `route` is a template, never what the client wrote.
    """

    at: float
    request_id: str
    method: str
    route: str
    status: int
    seconds: float
    size: int
    scored: Scored | None = None


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
        self._events: list[RequestEvent] = []
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

    def append(self, event: RequestEvent) -> None:
        """Take an event; its lines and figures follow within `FLUSH_SECONDS`."""
        self._events.append(event)
        if len(self._events) >= FLUSH_EVENTS:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._tick)

    async def read(self) -> Tally:
        """Return the figures of all workers, everything up to now included."""
        self.flush()
        if self._files is None:
            return self.tally
        return add_up([self.tally, *await self._files.read_others()])

    def flush(self) -> None:
        """Turn the events that wait into lines and figures."""
        events, self._events = self._events, []
        self._count(events)
        if lines := [line for event in events for line in self._lines(event)]:
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

    def _count(self, events: Sequence[RequestEvent]) -> None:
        durations: dict[tuple[str, str, int], list[float]] = defaultdict(list)
        scored: dict[str, list[Scored]] = defaultdict(list)
        for event in events:
            durations[event.method, event.route, event.status].append(event.seconds)
            if event.scored is not None:
                scored[event.scored.bundle].append(event.scored)
        for (method, route, status), seconds in durations.items():
            self.tally.add(REQUESTS, method, route, str(status), amount=len(seconds))
            self.tally.observe(DURATIONS, method, route, values=seconds)
        for bundle, records in scored.items():
            self._count_scores(bundle, records)

    def _count_scores(self, bundle: str, records: Sequence[Scored]) -> None:
        scores = [score for record in records for score in record.scores]
        frauds = sum(record.frauds for record in records)
        for decision, number in ((FRAUD, frauds), (LEGITIMATE, len(scores) - frauds)):
            if number:
                self.tally.add(PREDICTIONS, bundle, CHAMPION, decision, amount=number)
        self.tally.observe(SCORE, bundle, CHAMPION, values=scores)
        self.tally.observe(INFERENCE, bundle, "score", values=[one.seconds for one in records])

    def _lines(self, event: RequestEvent) -> Iterator[_PredictionLine | _RequestLine]:
        at = format_time(event.at)
        if event.scored is not None and LEVELS["info"] >= self._least:
            yield _prediction_line(at, event.request_id, event.scored)
        level = _level(event.status)
        if LEVELS[level] >= self._least:
            yield _RequestLine(
                time=at,
                level=level,
                event="request",
                request_id=event.request_id,
                method=event.method,
                route=event.route,
                status=event.status,
                duration_ms=round(event.seconds * 1000, 3),
                bytes=event.size,
            )


def _level(status: int) -> str:
    if status < WARNED:
        return "info"
    return "warning" if status < FAILED else "error"


def _prediction_line(at: str, request_id: str, scored: Scored) -> _PredictionLine:
    rows = len(scored.scores)
    return _PredictionLine(
        time=at,
        level="info",
        event="prediction",
        request_id=request_id,
        bundle=scored.bundle,
        transactions=rows,
        fraud=scored.frauds,
        legitimate=rows - scored.frauds,
        duration_ms=round(scored.seconds * 1000, 3),
        score=scored.scores[0] if rows == 1 else UNSET,
    )
