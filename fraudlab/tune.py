"""Search for good parameters: `python -m fraudlab.tune`."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import msgspec

from fraudlab.command import CONFIG_DIR, parse_arguments, parse_flags, run_command
from fraudlab.composition import Composer
from fraudlab.errors import UserError
from fraudlab.limits import DURATION_RULE, duration
from fraudlab.searching.ledger import address_of, check_name
from fraudlab.searching.probing import CheckedSearch, check_search
from fraudlab.searching.spaces import GROUP, read_space
from fraudlab.wording import nearest

if TYPE_CHECKING:
    from fraudlab.ranking import Row
    from fraudlab.searching.searches import Search
    from fraudlab.terminal import Progress

USAGE = """\
python -m fraudlab.tune hparams_search=NAME [budget=10m] [trials=100] [any words of fraudlab.train]

Search for the parameters that do best on validation: Optuna proposes, learning from what was found
so far; each proposal is trained, recorded and ranked as a candidate of a sweep. The first one is
what you get without searching. The same command goes on where it stopped, after `kill -9` too.

  python -m fraudlab.tune hparams_search=xgb data=simulated_small budget=10m
  python -m fraudlab.tune hparams_search=models data=simulated_small trials=50 slots=2
  python -m fraudlab.tune hparams_search=lgbm split=prequential budget=2h

  hparams_search=NAME  what varies, a YAML: {searches}
  budget=10m           how long this command may take: seconds, or a number with s, m, h or d
  trials=100           how many trials the study is to have, whichever command made them
  storage=WHERE        outputs/studies/STUDY.journal, or a FILE.journal, sqlite:///FILE,
                       postgresql://...: the same command on several machines shares the work
  study=NAME           another name; it is made of the search, its configuration, data and code

Give budget, trials, or both. Words such as data=..., sampler=..., seed=..., slots=2 hold for all
candidates, and win over what would vary. A candidate whose validation has several stages
(split=prequential, kfold, repeated) is pruned as soon as it is hopeless.

At the end stand the ten best, the best as a command and as a recipe in outputs/studies/, and what
decided. `python -m fraudlab.leaderboard` shows all, `report` and `promote` work as after a sweep.

Flags: --config-dir FOLDER, -v, --help. Exit codes: 0 done, 1 a candidate failed or none has a
result, 2 asked wrongly, 130 interrupted. docs/tuning.md says how to write a search.
"""


class Tune(msgspec.Struct, frozen=True):
    """The command's own arguments."""

    hparams_search: str
    budget: str | None = None
    trials: Annotated[int, msgspec.Meta(ge=1)] | None = None
    storage: str | None = None
    study: str | None = None


def usage() -> str:
    """Return the help, with the searches that exist."""
    return USAGE.format(searches=", ".join(Composer().options(GROUP)))


def main(arguments: list[str]) -> int:
    """Check the search, search, rank, promote the first champion."""
    flags = parse_flags(arguments, (CONFIG_DIR,))
    own = {field.name for field in msgspec.structs.fields(Tune)}
    is_own = [word.partition("=")[0] in own for word in flags.overrides]
    said = zip(flags.overrides, is_own, strict=True)
    wanted = parse_arguments([word for word, mine in said if mine], Tune)
    seconds = _seconds(wanted)
    address_of(wanted.storage, "")
    if wanted.study is not None:
        check_name(wanted.study)
    composer = Composer(flags.config_dir)
    known = composer.options(GROUP)
    path = composer.folders.file(GROUP, wanted.hparams_search)
    if path is None:
        name = wanted.hparams_search
        raise UserError(f"no {GROUP} option {name!r}{nearest(name, known)}")
    words = [word for word, mine in zip(flags.overrides, is_own, strict=True) if not mine]
    checked = check_search(read_space(wanted.hparams_search, path), composer, words)
    resume = checked.base.config.resume
    if resume != "auto":
        raise UserError(
            f"resume={resume} has no meaning for a search: a study always goes on where it stopped;"
            " study=NAME begins another"
        )
    return tune(wanted, seconds, checked, composer, flags.config_dir)


def _seconds(wanted: Tune) -> float | None:
    """Return the budget in seconds."""
    if wanted.budget is None and wanted.trials is None:
        raise UserError("say how long to search: budget=10m, trials=100, or both")
    if wanted.budget is None:
        return None
    seconds = duration(wanted.budget)
    if not seconds:
        raise UserError(f"budget {DURATION_RULE}, above 0; got {wanted.budget!r}")
    return seconds


def tune(
    wanted: Tune,
    seconds: float | None,
    checked: CheckedSearch,
    composer: Composer,
    config_dir: str | None,
) -> int:
    """Search, and show what came of it; return the exit code."""
    from fraudlab.promotion import promote_first
    from fraudlab.searching.allowance import Allowance
    from fraudlab.searching.searches import Search
    from fraudlab.terminal import Progress
    from fraudlab.threads import budget
    from fraudlab.tracking import mirror

    progress = Progress()
    allowance = Allowance(seconds, wanted.budget, wanted.trials)
    budget()  # what the environment lacks is said here: reading the data may take a while
    told = mirror(checked.base.config.tracking, progress.warn)
    search = Search(checked, composer, wanted.storage, wanted.study, allowance, progress)
    search.on_met = lambda record: progress.names(record.candidates)
    with closing(search.study):
        before = {t.number for t in search.study.trials() if t.state in {"complete", "pruned"}}
        progress.note(f"study {search.name}: {len(before):,} trials before this command")
        try:
            rows = search.run(told)
        except KeyboardInterrupt:
            _show(search, search.rows(), progress, config_dir)
            progress.note("the same command goes on where this one stopped")
            raise
        _show(search, rows, progress, config_dir)
    promote_first(rows, progress)
    own = search.source.failed if search.source is not None else 0
    return 0 if not own and any(row.status == "done" for row in rows) else 1


def _show(search: Search, rows: list[Row], progress: Progress, config_dir: str | None) -> None:
    """Print the best rows, and what is to be known of them."""
    from fraudlab.board import print_leaderboard
    from fraudlab.ranking import best_of
    from fraudlab.searching import findings

    visible = findings.shown(rows)
    if visible:
        print_leaderboard(visible, show_test=False)
        sys.stdout.flush()
    trials = search.study.trials()
    best = best_of(rows)
    lines = [findings.counted(rows), findings.decisive(search.study.importances(), trials)]
    for line in (*lines, findings.optimism(rows)):
        if line is not None:
            progress.note(line)
    if best is None:
        return
    words = next(t.notes["words"] for t in trials if t.notes.get("run") == best.run)
    said = findings.command(search.checked.words, words, config_dir)
    planned = next(each for each in search.record.candidates if each.run == best.run)
    path = findings.write_recipe(search.name, planned, said)
    progress.note(f"the best, as a command: {said}")
    progress.note(f"and as a recipe: {os.path.relpath(path)}")


if __name__ == "__main__":
    run_command(main, usage)
