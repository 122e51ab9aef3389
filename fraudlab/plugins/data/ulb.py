"""The ULB credit card table (creditcard.csv) that most published work uses."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.columns import binary_label, numbers, plain, require_columns
from fraudlab.locating import content_of
from fraudlab.reading import read_file
from fraudlab.registry import register
from fraudlab.table import Columns, Raw
from fraudlab.table_report import check_table

INPUTS = (*(f"V{number}" for number in range(1, 29)), "Amount")
NAMES = ("Time", *INPUTS, "Class")
COLUMNS = Columns(label="Class", time="Time", amount="Amount", bounds={"Amount": (0.0, None)})


@register("data", "ulb")
def ulb(*, path: str | None = "creditcard.csv") -> Ulb:
    """Read creditcard.csv: Time, V1 to V28, Amount, Class.

    Time is seconds since the first row. It orders the split and is a field of the request, but no
    model reads it: on a two-day clock it extrapolates.

    Parameters
    ----------
    path
        Your copy of the file, CSV or Parquet.
    """
    return Ulb(path)


@dataclass(frozen=True)
class Ulb:
    """The source: a file with exactly the columns of creditcard.csv."""

    path: str | None

    def state(self) -> str | None:
        """Return the digest of the file."""
        return content_of(self.path)

    def read(self) -> Raw:
        """Return the rows in the file's order, which is time order."""
        frame, locator = read_file(self.path, "ulb")
        require_columns(frame, NAMES, locator, exactly=True)
        frame = numbers(plain(frame, locator), ["Time", *INPUTS], locator)
        frame = binary_label(frame, "Class", None, locator).select(NAMES)
        return Raw(frame, COLUMNS, check_table(frame, COLUMNS, locator))
