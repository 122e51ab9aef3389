"""Folds: rows of a table as the matrices a candidate is fitted on and scored by, shared by all.

Candidates that agree on table, split and scaler have the same matrices, and those that agree on the
sampler too the same resampled rows: each is made once, from the fitted rows alone, kept under what
determines it (code included), and mapped into memory by whoever needs it next.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import numpy as np

from fraudlab import registry
from fraudlab.arrays import Array, Kept, kept_arrays, key_of_parts
from fraudlab.config import Config
from fraudlab.encoding import encode, fit_preprocess, learn_fields
from fraudlab.golden import draw_rows
from fraudlab.leaks import warn_of_giveaways
from fraudlab.manifest import Field
from fraudlab.preprocess import Matrix, Preprocess
from fraudlab.protocols import Resampled, Rows
from fraudlab.scoring import Value
from fraudlab.table import Table


def digest(rows: Rows) -> bytes:
    """Return what equal parts of a split have in common, and no others."""
    return hashlib.blake2b(np.ascontiguousarray(rows).data, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Encoded:
    """Fitted rows: what they tell of the fields, the fitted preprocessing, and their matrix."""

    fields: tuple[Field, ...]
    preprocess: Preprocess
    train: Matrix


class _Learned(msgspec.Struct, frozen=True):
    fields: tuple[Field, ...]
    preprocess: Preprocess


class Folds:
    """The matrices of a candidate.

    Parameters
    ----------
    config, table
        The candidate, and the table its rows are of.
    code
        What else determines a matrix, such as the version of the code; None keeps none in files.
    """

    def __init__(self, config: Config, table: Table, code: list[str] | None = None) -> None:
        self.table = table
        self._config = config
        self._code = code
        self._encoded: dict[bytes, Encoded] = {}

    def encoded(self, rows: Rows) -> Encoded:
        """Return `rows` as they are fitted on.

        Raises
        ------
        DataError
            If a column leaves its declared bounds.
        """
        key = digest(rows)
        if key not in self._encoded:
            kept = self._kept("encoded", lambda: self._encode(rows), key)
            learned = msgspec.convert(kept.meta, _Learned)
            train = kept.arrays["train"]
            self._encoded[key] = Encoded(learned.fields, learned.preprocess, train)
        return self._encoded[key]

    def _encode(self, rows: Rows) -> Kept:
        fields = learn_fields(self.table, rows)
        preprocess = fit_preprocess(self._config, self.table, rows, fields)
        train = encode(self.table, rows, preprocess)
        return Kept({"train": train}, msgspec.to_builtins(_Learned(fields, preprocess)))

    def judged(self, fit: Rows, rows: Rows) -> Matrix:
        """Return the matrix of `rows` by what was learned from the rows `fit`."""
        preprocess = self.encoded(fit).preprocess
        kept = self._kept(
            "judged",
            lambda: Kept({"judge": encode(self.table, rows, preprocess)}),
            digest(fit),
            digest(rows),
        )
        return kept.arrays["judge"]

    def resampled(self, rows: Rows) -> Resampled:
        """Return what the sampler makes of `rows`; it is shown these and no others.

        Raises
        ------
        DataError
            If the sampler cannot work with these rows.
        """
        sampler = self._config.sampler
        kept = self._kept("resampled", lambda: self._resample(rows), digest(rows), sampler)
        made, same = kept.arrays, kept.meta["same_rows"]
        return Resampled(
            X=self.encoded(rows).train if same else made["X"],
            y=self.table.label[rows] if same else made["y"],
            sample_weight=made.get("weight"),
            prior_ratio=kept.meta["prior_ratio"],
        )

    def _resample(self, rows: Rows) -> Kept:
        """Return the resampled rows, unless they are the rows as they were."""
        train, sampler = self.encoded(rows).train, registry.build("sampler", self._config.sampler)
        made: Resampled = sampler.resample(train, self.table.label[rows])
        same = made.X is train
        arrays: dict[str, Array] = {} if same else {"X": made.X, "y": made.y}
        if made.sample_weight is not None:
            arrays["weight"] = made.sample_weight
        return Kept(arrays, {"same_rows": same, "prior_ratio": made.prior_ratio})

    def look_for_giveaways(self, rows: Rows) -> None:
        """Warn of inputs that alone tell frauds from genuine rows among `rows`."""
        encoded = self.encoded(rows)

        def look() -> Kept:
            warn_of_giveaways(encoded.train, encoded.preprocess.columns, self.table.label[rows])
            return Kept({})

        self._kept("giveaways", look, digest(rows))

    def drawn(self, rows: Rows, seed: int) -> list[list[Value]]:
        """Return rows drawn from what is known of `rows`, which golden rows are chosen from."""
        fields = self.encoded(rows).fields

        def draw() -> Kept:
            return Kept({}, draw_rows(self.table, fields, rows, seed))

        values: list[list[Value]] = self._kept("drawn", draw, digest(rows), seed).meta
        return values

    def _kept(self, kind: str, make: Callable[[], Kept], *parts: Any) -> Kept:
        """Return what `make` makes, from files where they are kept; it warns as it did then."""
        recorded = partial(_with_warnings, make)
        kept = recorded() if self._code is None else self._from_files(kind, recorded, parts)
        for text in kept.meta["warnings"]:
            warnings.warn(text, stacklevel=4)
        return Kept(kept.arrays, kept.meta["own"])

    def _from_files(self, kind: str, make: Callable[[], Kept], parts: tuple[Any, ...]) -> Kept:
        choices = [self._config.data, self._config.features, self._config.scaler]
        key = key_of_parts(kind, self.table.fingerprint, choices, self._code, parts)
        return kept_arrays(key, make, writable=True)


def _with_warnings(make: Callable[[], Kept]) -> Kept:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = make()
    return Kept(made.arrays, {"own": made.meta, "warnings": [str(each.message) for each in caught]})
