"""What candidates are trained on: tables and their splits, each made once however many ask.

Whoever plans a sweep reads the source and learns the fingerprint of its rows. The table is kept
under that fingerprint, where the processes that train find it: they neither read nor hash the
source, and a file that changes meanwhile changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fraudlab import registry
from fraudlab.arrays import Kept, kept_arrays, key_of_parts, read_kept
from fraudlab.config import Config, canonical
from fraudlab.errors import DataError
from fraudlab.needs import check_needs
from fraudlab.prepared import keep_split, keep_table, kept_split, kept_table
from fraudlab.protocols import Split
from fraudlab.provenance import code_of_results
from fraudlab.splitting import split_table
from fraudlab.table import Table


@dataclass(slots=True)
class Tables:
    """The tables and splits of a command; `note` is told what is being read.

    Attributes
    ----------
    verify
        Whether what is kept is compared with its digests. One process of a sweep does it for all.
    """

    note: Callable[[str], None]
    verify: bool = True
    _tables: dict[bytes, Table] = field(default_factory=dict)
    _splits: dict[bytes, Split] = field(default_factory=dict)

    def table(self, config: Config, fingerprint: str | None = None) -> Table:
        """Return the table of a config: raw rows, then features.

        Parameters
        ----------
        config
            The candidate.
        fingerprint
            Of the rows it was planned for; None takes the rows as they are now.

        Raises
        ------
        DataError
            If the rows have another fingerprint now, and those planned for are not kept.
        """
        key = canonical(config.data, config.features)
        if key not in self._tables:
            self._tables[key] = self._read(config, fingerprint)
        table = self._tables[key]
        if fingerprint not in {None, table.fingerprint}:
            raise DataError(
                f"{table.report.source} has changed since this candidate was planned, and the rows"
                " it was planned for are no longer kept: give the command again"
            )
        return table

    def _read(self, config: Config, fingerprint: str | None) -> Table:
        source = registry.build("data", config.data)
        state = source.state() if fingerprint is None and hasattr(source, "state") else None
        if state is not None:
            known = read_kept(key_of_parts("source", *_parts(config), state))
            fingerprint = None if known is None else known.meta
        if fingerprint is not None:
            kept = read_kept(_table_key(config, fingerprint), verify=self.verify)
            if kept is not None:
                return kept_table(kept)
        table = self._built(config, source)
        if state is not None and source.state() == state:  # it stayed as it was while it was read
            kept_arrays(
                key_of_parts("source", *_parts(config), state), lambda: Kept({}, table.fingerprint)
            )
        return table

    def _built(self, config: Config, source: Any) -> Table:
        self.note(f"reading data={config.data.name}, features={config.features.name}")
        table: Table = registry.build("features", config.features).build(source.read())
        key = _table_key(config, table.fingerprint)
        return kept_table(kept_arrays(key, lambda: keep_table(table), verify=self.verify))

    def split(self, config: Config, fingerprint: str | None = None) -> Split:
        """Return the split of a config's table."""
        key = canonical(config.data, config.features, config.split)
        table = self.table(config, fingerprint)
        if key not in self._splits:
            splitter = registry.build("split", config.split)
            entry = key_of_parts("split", *_parts(config), table.fingerprint, config.split)
            made = kept_arrays(entry, lambda: keep_split(split_table(table, splitter)))
            self._splits[key] = kept_split(made)
        check_needs(config, table, self._splits[key])
        return self._splits[key]


def _parts(config: Config) -> tuple[Any, ...]:
    return config.data, config.features, code_of_results()


def _table_key(config: Config, fingerprint: str) -> str:
    return key_of_parts("table", *_parts(config), fingerprint)
