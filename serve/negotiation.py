"""Which of several media types a client likes best (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def choose(headers: Iterable[tuple[bytes, bytes]], offered: Sequence[str]) -> str:
    """Return the best of `offered` for the Accept header; the first when nothing decides."""
    accept = ",".join(value.decode("latin-1") for name, value in headers if name == b"accept")
    ranges = [parsed for part in accept.split(",") if (parsed := _parse(part)) is not None]
    if not ranges:
        return offered[0]
    return max(offered, key=lambda kind: _quality(kind.partition(";")[0], ranges))


def _parse(part: str) -> tuple[str, float] | None:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = float(parameter[2:])
            except ValueError:
                return None
    return (kind, quality) if "/" in kind else None


def _quality(kind: str, ranges: Iterable[tuple[str, float]]) -> float:
    """Return the quality of `kind` by the most specific range that covers it."""
    family = kind.partition("/")[0]
    for pattern in (kind, f"{family}/*", "*/*"):
        found = [quality for name, quality in ranges if name == pattern]
        if found:
            return max(found)
    return 0.0
