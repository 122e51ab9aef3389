"""`python -m fraudlab`: what there is to run."""

from __future__ import annotations

COMMANDS = """\
fraudlab trains, compares and ships fraud detectors. Its commands; each has --help:

  python -m fraudlab.train         train a candidate, or sweep over many
  python -m fraudlab.tune          search for the parameters that do best
  python -m fraudlab.leaderboard   show how a sweep's candidates compare
  python -m fraudlab.report        write the report of a run or a sweep as one HTML page
  python -m fraudlab.promote       make a run's bundle the champion
  python -m fraudlab.validate      check a configuration and its table; train nothing
  python -m fraudlab.prepare       write the table as training sees it
  python -m fraudlab.plugins       list what a configuration can name
  python -m serve                  score transactions over HTTP
"""

if __name__ == "__main__":
    print(COMMANDS, end="")  # noqa: T201
