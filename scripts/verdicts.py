"""What a published row, and all of them, come to beside ours: in one line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agreement import Line, Number

FAIL = "FAIL"
HEADINGS = {
    "roc_auc": "AUC",
    "average_precision": "AP",
    "card_precision_at_100": "CP@100",
    "balanced_accuracy": "balanced accuracy",
}


@dataclass(frozen=True)
class Row:
    """A published row beside ours; without numbers when its candidate has no result."""

    line: Line
    numbers: Sequence[Number] = ()
    trouble: str = ""
    reason: str = ""

    @property
    def wrong(self) -> list[Number]:
        """The numbers that do not agree, for no known reason."""
        return [number for number in self.numbers if not (number.agrees or number.is_known)]

    @property
    def known(self) -> list[Number]:
        """The numbers that do not agree for a known reason."""
        return [number for number in self.numbers if number.is_known]

    @property
    def verdict(self) -> str:
        """What the row comes to: ok, known or FAIL."""
        if self.trouble or self.wrong:
            return FAIL
        return "known" if self.known else "ok"


def told(row: Row) -> str:
    """Return a row's first means beside the published, and how near all come to their limits."""
    if row.trouble:
        return row.trouble
    means = [number for number in row.numbers if not number.column.endswith("_std")][:3]
    values = "  ".join(
        f"{HEADINGS[of.column.partition('.')[2]]} {_as_printed(of)} ({of.printed})" for of in means
    )
    count = len(row.numbers)
    if row.wrong or row.known:
        return f"{values}  {len(row.wrong) + len(row.known)} of {count} numbers are further apart"
    worst = max(number.share for number in row.numbers)
    return f"{values}  {count} numbers, at most {worst:.0%} of what is allowed"


def _as_printed(number: Number) -> str:
    return f"{number.ours:.{len(number.printed.partition('.')[2])}f}"


def spelled(number: Number) -> str:
    """Return a published number, ours, and how far they are and may be apart."""
    verdict = "ok" if number.agrees else "known" if number.is_known else FAIL
    return (
        f"{verdict:5} {number.column}: published {number.printed}, ours {number.ours:.6f},"
        f" apart {number.difference:+.6f}, allowed {number.tolerance:.6f}"
    )


def summary(shown: dict[str, list[Row]], seconds: float) -> str:
    """Return what came of it, in one line."""
    rows = [row for of in shown.values() for row in of]
    numbers = sum(len(row.numbers) for row in rows)
    text = f"{len(rows)} rows, {numbers:,} numbers in {seconds / 60:.1f} min"
    wrong = {name: sum(row.verdict == FAIL for row in of) for name, of in shown.items()}
    known = {name: sum(len(row.known) for row in of) for name, of in shown.items()}
    apart = _counted(known)
    text += f"; further apart for known reasons: numbers of {apart}" if apart else ""
    fails = _counted(wrong)
    return (
        f"{text}; FAILED: rows of {fails}"
        if fails
        else f"{text}; all {'others ' * bool(apart)}agree"
    )


def _counted(of: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in of.items() if count)
