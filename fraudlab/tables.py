"""What candidates are trained on: tables and their splits, each made once however many ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from fraudlab import registry
from fraudlab.config import Config
from fraudlab.needs import check_needs
from fraudlab.protocols import Split
from fraudlab.splitting import split_table
from fraudlab.table import Table


@dataclass(slots=True)
class Tables:
    """The tables and splits of a command; `note` is told what is being read."""

    note: Callable[[str], None]
    _tables: dict[bytes, Table] = field(default_factory=dict)
    _splits: dict[bytes, Split] = field(default_factory=dict)

    def table(self, config: Config) -> Table:
        """Return the table of a config: raw rows, then features."""
        key = msgspec.json.encode([config.data, config.features], order="sorted")
        if key not in self._tables:
            self.note(f"reading data={config.data.name}, features={config.features.name}")
            raw = registry.build("data", config.data).read()
            self._tables[key] = registry.build("features", config.features).build(raw)
        return self._tables[key]

    def split(self, config: Config) -> Split:
        """Return the split of a config's table."""
        parts = [config.data, config.features, config.split]
        key = msgspec.json.encode(parts, order="sorted")
        if key not in self._splits:
            splitter = registry.build("split", config.split)
            self._splits[key] = split_table(self.table(config), splitter)
        check_needs(config, self.table(config), self._splits[key])
        return self._splits[key]
