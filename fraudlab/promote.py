"""Make a run's bundle the champion: `python -m fraudlab.promote run=ID`."""

from __future__ import annotations

import msgspec

from fraudlab.bundle import CHAMPION
from fraudlab.command import parse_arguments, run_command
from fraudlab.promotion import promote_run

USAGE = """\
python -m fraudlab.promote run=ID [alias=champion]

Point bundles/ALIAS at the bundle of a finished run, in one step. The bundle is verified first; a
damaged one leaves the champion as it is. A bundle that was not kept is trained again from the same
config, data and code.

  run=ID          a run of the leaderboard (python -m fraudlab.leaderboard format=json), or the
                  beginning of its key
  alias=champion  the link's name; the service reads bundles/champion
"""


class Promote(msgspec.Struct, forbid_unknown_fields=True):
    """The command's arguments."""

    run: str
    alias: str = CHAMPION


def main(arguments: list[str]) -> int:
    """Promote."""
    wanted = parse_arguments(arguments, Promote)
    from fraudlab.terminal import Progress

    progress = Progress()
    path = promote_run(wanted.run, progress, wanted.alias)
    print(f"bundles/{wanted.alias} -> {path.name}")  # noqa: T201
    if wanted.alias == CHAMPION:
        progress.note("a running service keeps its bundle until it is started again")
    return 0


if __name__ == "__main__":
    run_command(main, lambda: USAGE)
