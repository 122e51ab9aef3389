"""What a report shows as tables: metrics, leaderboard, failures, configuration, origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fraudlab.bootstrap import Interval
from fraudlab.config import GROUPS, to_plain
from fraudlab.naming import differing, name_of, short, value_of
from fraudlab.provenance import masked
from fraudlab.ranking import BARRED, HEADINGS, NEAR, OTHER_ROWS, Row, place_of
from fraudlab.reporting.gathering import RunFacts, SweepFacts
from fraudlab.reporting.standing import metric_of
from fraudlab.reporting.words import number, seeds_counted, share, span
from fraudlab.seeding import Seeds
from fraudlab.wording import value_text

MAIN = (
    "average_precision",
    "roc_auc",
    "card_precision_at_100",
    "precision",
    "recall",
    "f1",
    "fpr",
    "alert_rate",
    "alerts_per_day",
    "value_detection_rate",
    "cost",
    "savings",
    "brier",
    "ece",
    "mean_score",
    "prevalence",
)
_SHARES = frozenset(
    {"precision", "recall", "fpr", "alert_rate", "value_detection_rate", "savings", "prevalence"}
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A number and its interval, as text."""

    value: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric on both parts."""

    name: str
    validation: Cell
    test: Cell


def metric_rows(facts: RunFacts, *, main: bool) -> list[MetricRow]:
    """Return the metrics that matter first, or all the others."""
    metrics, intervals = facts.record.metrics, facts.record.intervals
    names = [*metrics.test, *(name for name in metrics.validation if name not in metrics.test)]
    wanted = [name for name in MAIN if name in names]
    if not main:
        wanted = [name for name in names if name not in MAIN]
    return [
        MetricRow(
            name,
            _cell(name, metrics.validation, intervals.validation),
            _cell(name, metrics.test, intervals.test),
        )
        for name in wanted
    ]


def _cell(name: str, values: Mapping[str, float], intervals: Mapping[str, Interval]) -> Cell:
    value, interval = values.get(name), intervals.get(name)
    if value is None:
        return Cell("")
    percent = name in _SHARES or name.startswith("recall_segment")
    text = share(value) if percent else number(value)
    return Cell(text, "" if interval is None else span(interval, percent=percent))


@dataclass(frozen=True, slots=True)
class Ranked:
    """A row of the leaderboard: its place, what tells it apart, its numbers."""

    place: str
    run: str
    choices: tuple[str, ...]
    cells: tuple[Cell, ...]
    remarks: tuple[str, ...]
    best: bool


@dataclass(frozen=True, slots=True)
class Board:
    """The leaderboard: headings and rows, and whether any of them stands for several seeds."""

    rule: str
    choices: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[Ranked, ...]
    marks: tuple[str, ...]
    seeds: bool


def board(facts: SweepFacts) -> Board:
    """Return the finished candidates, best first, by their validation metrics."""
    done = facts.finished
    ranked = metric_of(facts)
    shown = [name for name in HEADINGS if name not in {ranked, "average_precision"}]
    metrics = [ranked, *shown]
    metrics = [name for name in metrics if any(name in row.metrics.validation for row in done)]
    rows = tuple(_ranked(place, row, facts.names, metrics) for place, row in enumerate(done, 1))
    firsts = {row.place[:1] for row in rows}
    marks = [text for text in (NEAR, OTHER_ROWS, BARRED) if text[0] in firsts]
    return Board(
        rule=facts.record.candidates[0].config.selection.name,
        choices=tuple(short(name, facts.names) for name in facts.names),
        headings=tuple(HEADINGS.get(name, name) for name in metrics),
        rows=rows,
        marks=tuple(marks),
        seeds=any(row.seeds is not None for row in done),
    )


def _ranked(place: int, row: Row, names: list[str], metrics: Sequence[str]) -> Ranked:
    values, intervals = row.means.validation, (row.seeds or row).intervals.validation
    remarks = [] if row.seeds is None else [_seeds_text(row.seeds, metrics[0])]
    remarks += [f"may not win: {reason}" for reason in row.unmet]
    if row.simplest and place > 1:
        remarks.append("simplest within one standard error of the best")
    if row.reused:
        remarks.append("reused")
    return Ranked(
        place=place_of(place, row),
        run=row.run,
        choices=tuple(value_of(row, name) for name in names),
        cells=(
            _cell(metrics[0], values, intervals),
            *(_cell(name, values, {}) for name in metrics[1:]),
        ),
        remarks=(*remarks, *(f"warning: {text}" for text in row.warnings)),
        best=place == 1 and not row.unmet,
    )


def _seeds_text(seeds: Seeds, metric: str) -> str:
    """Return how many seeds it is the mean of, and how far they lie apart."""
    std = seeds.std.validation.get(metric)
    text = "" if std is None else f" (standard deviation {number(std)})"
    return f"{seeds_counted(seeds)}{text}"


@dataclass(frozen=True, slots=True)
class Failure:
    """A candidate without a result, and why."""

    name: str
    status: str
    why: str
    log: str


def failures(facts: SweepFacts) -> list[Failure]:
    """Return the runs without a result, each by its seed too where that tells it apart."""
    names = differing(facts.rows)
    return [
        Failure(name_of(row, names), row.status.replace("_", " "), row.error or "", row.log or "")
        for row in facts.rows
        if row.status != "done"
    ]


def choices(facts: RunFacts) -> list[tuple[str, str, str]]:
    """Return what was chosen in each group, with its parameters."""
    plain = to_plain(facts.config)
    found = []
    for group in GROUPS:
        choice = facts.config.choice(group)
        params = ", ".join(f"{name}={_said(value)}" for name, value in choice.params.items())
        found.append((group, choice.name, params))
        plain.pop(group)
    rest = {name: value for name, value in plain.items() if not isinstance(value, dict)}
    found.append(("other keys", "", ", ".join(f"{k}={_said(v)}" for k, v in rest.items())))
    for name, value in plain.items():
        if isinstance(value, dict):
            found.append((name, "", ", ".join(f"{k}={_said(v)}" for k, v in value.items())))
    return found


def _said(value: Any) -> str:
    return str(masked(value)) if isinstance(value, str) else value_text(value)


def origin(facts: RunFacts) -> list[tuple[str, str]]:
    """Return where the run came from."""
    record, manifest = facts.record, facts.manifest
    told = manifest.provenance
    dirty = ", with changes beyond it" if told.get("dirty") else ""
    rows = [
        ("run", record.run),
        ("finished", record.finished or manifest.created),
        ("bundle", record.bundle or "not kept"),
        ("commit", f"{told.get('commit') or 'none'}{dirty}"),
        ("code", str(told.get("code", ""))),
        ("data", str(told.get("data_fingerprint", ""))),
        ("seed", str(told.get("seed", ""))),
        ("MLflow run", record.mlflow_run_id or "none"),
        ("threshold chosen on", manifest.threshold.slice),
        ("seconds", ", ".join(f"{name} {number(of)}" for name, of in record.seconds.items())),
    ]
    if record.parity is not None:
        rows.append(("largest difference between graph and model", f"{record.parity:.3g}"))
    versions = told.get("versions", {})
    rows.append(("libraries", ", ".join(f"{name} {of}" for name, of in versions.items())))
    return rows
