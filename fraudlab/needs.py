"""What a candidate's choices need of its table and split, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator

from fraudlab import registry
from fraudlab.config import Config
from fraudlab.errors import DataError
from fraudlab.protocols import Split
from fraudlab.selecting import NEEDS, PRICED
from fraudlab.table import Table

_SAID_BY = {
    "amount": "amounts: name them with data.amount=COLUMN",
    "day": "a time: name it with data.time=COLUMN",
    "card": "cards: name them with data.entities=COLUMN",
}


def check_needs(config: Config, table: Table, split: Split) -> None:
    """Refuse a threshold strategy or selection that the table or split leaves nothing to go by.

    Raises
    ------
    DataError
        If a column is missing, or whole days are counted where no scored part has any.
    """
    for choice, need in _needs(config):
        if getattr(table, need) is None:
            raise DataError(
                f"{choice} needs {_SAID_BY[need]}, or choose another;"
                f" {table.report.source} has none"
            )
        if need == "day" and not split.whole_days:
            raise DataError(
                f"{choice} counts whole days, and each fold of split={config.split.name} scores a"
                " share of their rows: use split=temporal or prequential, or blocks of time"
                " (split.params.shuffle=false)"
            )


def _needs(config: Config) -> Iterator[tuple[str, str]]:
    """Yield what needs something, in words, and what it needs, as a name of `Scores`."""
    strategy = registry.build("threshold_strategy", config.threshold_strategy)
    for need in getattr(strategy, "needs", ()):
        yield f"threshold_strategy={config.threshold_strategy.name}", need
    for metric in getattr(registry.build("selection", config.selection), "reads", ()):
        if metric in PRICED and config.costs.false_negative != "amount":
            continue
        for need in NEEDS.get(metric, ()):
            yield f"selection={config.selection.name}, which reads {metric},", need
