"""From checked candidates to planned ones: frozen, with the key under which their result stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from fraudlab.config import Candidate, Config
from fraudlab.provenance import masked, resume_key
from fraudlab.runs import Planned
from fraudlab.tables import Tables

KEY_LENGTH = 16


def plan_candidates(candidates: Sequence[Candidate], tables: Tables) -> tuple[Planned, ...]:
    """Return the candidates as they will run, each once.

    Raises
    ------
    DataError
        If a table cannot be read, or a candidate needs what its table or split does not have.
    """
    return distinct(plan_candidate(candidate, tables) for candidate in candidates)


def plan_candidate(candidate: Candidate, tables: Tables) -> Planned:
    """Return a candidate as it will run."""
    config = candidate.config
    table = tables.table(config)
    if not candidate.not_applicable:
        tables.split(config)
    return Planned(
        run=resume_key(config, table.fingerprint)[:KEY_LENGTH],
        config=_without_secrets(config),
        options=candidate.options,
        overrides={name: masked(value) for name, value in candidate.overrides.items()},
        data_fingerprint=table.fingerprint,
        not_applicable=candidate.not_applicable,
    )


def distinct(planned: Iterable[Planned]) -> tuple[Planned, ...]:
    """Return the candidates without repetitions: one row per candidate."""
    first: dict[str, Planned] = {}
    for each in planned:
        first.setdefault(each.run, each)
    return tuple(first.values())


def _without_secrets(config: Config) -> Config:
    """Return the config as it may be written down: bundles and plans travel, passwords must not."""
    tracking = msgspec.structs.replace(config.tracking, uri=masked(config.tracking.uri))
    return msgspec.structs.replace(config, tracking=tracking)
