"""The service's figures: counted here, and told as Prometheus text or as the older service's JSON.

A `Tally` is plain data, so those of several workers are added up by adding their numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TypeAlias

import msgspec
import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from serve.schemas import Figures

Key: TypeAlias = tuple[str, ...]  # name of the figure, then the values of its labels

ERRORS_FROM = "400"
FRAUD, LEGITIMATE = "fraud", "legitimate"
_SECONDS = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075,
    0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
_SCORES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
_FEW = 32  # below it a loop is faster than numpy


class Kind(msgspec.Struct, frozen=True):
    """One family of figures: its name, help, labels, and bounds if it is a histogram."""

    name: str
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()


REQUESTS = Kind("fraudlab_http_requests", "Answers sent, by status.", ("method", "route", "status"))
DURATIONS = Kind(
    "fraudlab_http_request_duration_seconds",
    "Time from a request's headers to the last byte of its answer.",
    ("method", "route"),
    _SECONDS,
)
PREDICTIONS = Kind(
    "fraudlab_predictions", "Transactions scored, by decision.", ("model", "role", "decision")
)
SCORE = Kind("fraudlab_score", "Scores given.", ("model", "role"), _SCORES)
INFERENCE = Kind(
    "fraudlab_inference_seconds",
    "Time a request spent in the scorer.",
    ("model", "stage"),
    _SECONDS,
)
DROPPED = Kind("fraudlab_log_dropped", "Log lines that could not be written in time.", ())
KINDS = {kind.name: kind for kind in (REQUESTS, DURATIONS, PREDICTIONS, SCORE, INFERENCE, DROPPED)}


class Tally(msgspec.Struct):
    """Sums so far: counters, and per histogram its bucket counts followed by the sum."""

    counters: dict[Key, float] = {}
    histograms: dict[Key, list[float]] = {}
    in_flight: int = 0

    def add(self, kind: Kind, *labels: str, amount: float = 1) -> None:
        """Count `amount` more."""
        key = (kind.name, *labels)
        self.counters[key] = self.counters.get(key, 0) + amount

    def observe(self, kind: Kind, *labels: str, values: Sequence[float]) -> None:
        """Put `values` into the histogram's buckets."""
        key, slots = (kind.name, *labels), len(kind.buckets) + 1
        held = self.histograms.get(key)
        if held is None:
            held = self.histograms[key] = [0.0] * (slots + 1)
        if len(values) < _FEW:
            for value in values:
                held[bisect_left(kind.buckets, value)] += 1
        else:
            places = np.searchsorted(kind.buckets, values, side="left")
            for place, number in enumerate(np.bincount(places, minlength=slots).tolist()):
                held[place] += number
        held[-1] += sum(values)

    def total(self, kind: Kind) -> float:
        """Return the sum of a counter over all its labels."""
        return sum(number for key, number in self.counters.items() if key[0] == kind.name)


def add_up(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of `tallies`."""
    whole = Tally()
    for tally in tallies:
        whole.in_flight += tally.in_flight
        for key, number in tally.counters.items():
            whole.counters[key] = whole.counters.get(key, 0) + number
        for key, held in tally.histograms.items():
            before = whole.histograms.get(key, [0.0] * len(held))
            whole.histograms[key] = [a + b for a, b in zip(before, held, strict=True)]
    return whole


def summarise(tally: Tally) -> Figures:
    """Return the figures under the older service's names."""
    requests = int(tally.total(REQUESTS))
    predictions = int(tally.total(PREDICTIONS))
    errors = frauds = 0
    for (name, *labels), number in tally.counters.items():
        if name == REQUESTS.name and labels[-1] >= ERRORS_FROM:
            errors += int(number)
        elif name == PREDICTIONS.name and labels[-1] == FRAUD:
            frauds += int(number)
    seconds = sum(held[-1] for key, held in tally.histograms.items() if key[0] == DURATIONS.name)
    return Figures(
        total_requests=requests,
        error_count=errors,
        error_rate=errors / requests if requests else 0.0,
        total_predictions=predictions,
        fraud_predictions=frauds,
        fraud_prediction_rate=frauds / predictions if predictions else 0.0,
        avg_latency_ms=1000 * seconds / requests if requests else 0.0,
    )


class _Families(Collector):
    def __init__(self, tally: Tally, model: tuple[str, str] | None) -> None:
        self._tally = tally
        self._model = model

    def collect(self) -> Iterator[Metric]:
        for kind in KINDS.values():
            yield self._histogram(kind) if kind.buckets else self._counter(kind)
        yield GaugeMetricFamily(
            "fraudlab_http_in_flight", "Requests being answered.", value=self._tally.in_flight
        )
        if self._model is not None:
            info = GaugeMetricFamily(
                "fraudlab_model_info", "The bundle being served.", labels=("id", "sha256")
            )
            info.add_metric(self._model, 1)
            yield info

    def _counter(self, kind: Kind) -> Metric:
        family = CounterMetricFamily(kind.name, kind.help, labels=kind.labels)
        for (name, *labels), number in self._tally.counters.items():
            if name == kind.name:
                family.add_metric(labels, number)
        return family

    def _histogram(self, kind: Kind) -> Metric:
        family = HistogramMetricFamily(kind.name, kind.help, labels=kind.labels)
        bounds = [*map(str, kind.buckets), "+Inf"]
        for (name, *labels), held in self._tally.histograms.items():
            if name == kind.name:
                counts = accumulate(held[:-1])
                family.add_metric(labels, list(zip(bounds, counts, strict=True)), held[-1])
        return family


def expose(tally: Tally, model: tuple[str, str] | None, *, as_openmetrics: bool) -> bytes:
    """Return the figures as Prometheus or OpenMetrics text; `model` is its id and digest."""
    registry = CollectorRegistry()
    registry.register(_Families(tally, model))
    text: bytes = (openmetrics.generate_latest if as_openmetrics else generate_latest)(registry)
    return text
