"""The Handbook's published raw transactions, from a Parquet file."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.plugins.data.simulated import COLUMNS, RAW
from fraudlab.reading import binary_label, numbers, read_file, require_columns
from fraudlab.registry import register
from fraudlab.table import Raw
from fraudlab.table_report import check_table


@register("data", "handbook")
def handbook(*, path: str | None = None, train_from: str | None = "2018-07-25") -> Handbook:
    """Read raw transactions in the Handbook's columns.

    Parameters
    ----------
    path
        A Parquet or CSV file with exactly the columns TRANSACTION_ID, TX_DATETIME, CUSTOMER_ID,
        TERMINAL_ID, TX_AMOUNT, TX_FRAUD and TX_FRAUD_SCENARIO.
    train_from
        First day of the training window that `split=temporal` takes from here.
    """
    return Handbook(path)


@dataclass(frozen=True)
class Handbook:
    """The source: a file of the published columns."""

    path: str | None

    def read(self) -> Raw:
        """Return the raw transactions in time order."""
        frame = read_file(self.path, "handbook")
        source = str(self.path)
        require_columns(frame, RAW, source, exactly=True)
        frame = numbers(frame, ["TX_AMOUNT"], source)
        frame = binary_label(frame, "TX_FRAUD", None, source)
        frame = frame.select(RAW).sort("TX_DATETIME", maintain_order=True)
        return Raw(frame, COLUMNS, check_table(frame, COLUMNS, source))
