"""The Handbook's published raw transactions, from a Parquet file."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.columns import binary_label, numbers, plain, require_columns, times
from fraudlab.locating import content_of
from fraudlab.plugins.data.simulated import COLUMNS, RAW
from fraudlab.reading import read_file
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
        First day of the training window: conf/split/temporal.yaml takes it from here, reading
        the table does not.
    """
    return Handbook(path)


@dataclass(frozen=True)
class Handbook:
    """The source: a file of the published columns."""

    path: str | None

    def state(self) -> str | None:
        """Return the digest of the file."""
        return content_of(self.path)

    def read(self) -> Raw:
        """Return the raw transactions in time order."""
        frame, locator = read_file(self.path, "handbook")
        require_columns(frame, RAW, locator, exactly=True)
        frame = binary_label(plain(frame, locator), "TX_FRAUD", None, locator)
        frame = numbers(frame, ["TX_AMOUNT"], locator)
        frame = times(frame, "TX_DATETIME", locator).select(RAW)
        report = check_table(frame, COLUMNS, locator)
        return Raw(frame.sort("TX_DATETIME", maintain_order=True), COLUMNS, report)
