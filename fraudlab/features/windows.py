"""Counts and sums over an entity's recent past: the one place that knows the window arithmetic.

A window reaches back from a moment: it holds the entity's rows with time in (moment - length,
moment], in seconds, open on the left and closed on the right. Sums are kept in whole numbers, so a
window has the same value however it is computed, now from the whole table or later row by row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

UNITS = 10_000  # amounts are added as whole ten-thousandths of the currency


@dataclass(frozen=True, slots=True)
class Past:
    """The rows of a table in the order (entity, time, position), ready to be cut into windows.

    Attributes
    ----------
    order
        Row numbers in that order.
    key
        Entity and time in one ascending number, spaced so that no window reaches another entity.
    """

    order: NDArray[np.intp]
    key: Integers

    @classmethod
    def of(cls, entity: Integers, time: Integers, reach: int) -> Past:
        """Return the past of rows with these entity codes and times (seconds).

        Parameters
        ----------
        entity, time
            Int64 [N], in the table's order; rows of one second keep that order.
        reach
            How many seconds back any window may start.
        """
        if not len(time):
            return cls(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64))
        _, code = np.unique(entity, return_inverse=True)
        since = time - time.min()
        key = code.astype(np.int64) * (int(since.max()) + reach + 1) + since
        order = np.argsort(key, kind="stable")
        return cls(order, key[order])

    def upto_row(self, length: int) -> tuple[Integers, Integers]:
        """Return begin and end of each row's window that ends with the row itself."""
        end = np.arange(1, len(self.key) + 1)
        return np.searchsorted(self.key, self.key - length, side="right"), end

    def earlier(self, length: int, delay: int) -> tuple[Integers, Integers]:
        """Return begin and end of each row's window that ends `delay` seconds before the row.

        Without a delay it ends before the row's own second: no row knows its own label.
        """
        end = np.searchsorted(self.key, self.key - delay, side="right" if delay else "left")
        return np.searchsorted(self.key, self.key - delay - length, side="right"), end

    def sums(self, values: Integers, begin: Integers, end: Integers) -> Integers:
        """Return the sum of `values` (in the table's order) over each window."""
        total = np.concatenate([[0], np.cumsum(values[self.order])])
        result: Integers = total[end] - total[begin]
        return result

    def restored(self, values: Floats) -> Floats:
        """Return values of the sorted rows in the table's order."""
        result = np.empty_like(values)
        result[self.order] = values
        return result


def units(amount: Floats) -> Integers:
    """Return amounts as whole ten-thousandths."""
    return np.rint(amount * UNITS).astype(np.int64)


def ratio(part: Integers, whole: Integers) -> Floats:
    """Return part / whole as float64, 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
