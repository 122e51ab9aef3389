"""Say what can be chosen: `python -m fraudlab.plugins [GROUP]`."""

from __future__ import annotations

import inspect

from fraudlab import registry
from fraudlab.command import run_command
from fraudlab.config import GROUPS
from fraudlab.errors import PluginError, UserError

USAGE = """\
python -m fraudlab.plugins [GROUP]

List the plugins of one group or of all: name, one line, parameters with types and defaults, file
and package.
"""


def main(arguments: list[str]) -> int:
    """List."""
    if len(arguments) > 1:
        raise UserError(f"expected one group, got {arguments!r}")
    if arguments and arguments[0] not in GROUPS:
        raise UserError(f"no group {arguments[0]!r}{registry.nearest(arguments[0], GROUPS)}")
    for group in arguments or GROUPS:
        print(f"\n{group}")  # noqa: T201
        for name in registry.names(group):
            _show(group, name)
    return 0


def _show(group: str, name: str) -> None:
    try:
        found = registry.find(group, name)
    except PluginError as error:
        print(f"  {name}: BROKEN, {error}")  # noqa: T201
        return
    print(f"  {name}: {found.summary}")  # noqa: T201
    for parameter, kind, default in found.parameters:
        value = "" if default is inspect.Parameter.empty else f" = {default!r}"
        print(f"      {registry.dotted(group, parameter)}: {kind}{value}")  # noqa: T201
    print(f"      {found.package}, {found.file}")  # noqa: T201


if __name__ == "__main__":
    run_command(main, lambda: USAGE)
