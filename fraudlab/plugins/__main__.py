"""Say what can be chosen: `python -m fraudlab.plugins [GROUP]`."""

from __future__ import annotations

import inspect
import os

from fraudlab import registry
from fraudlab.command import run_command
from fraudlab.config import GROUPS
from fraudlab.errors import PluginError, UserError
from fraudlab.wording import nearest, type_text, value_text

USAGE = f"""\
python -m fraudlab.plugins [GROUP]

List the plugins of one group, or of all: name, one line, the file it is in, the package when it is
not fraudlab's own, and every parameter as it is set on the command line, with default and what it
may be. YAML options that reuse a plugin with other parameters are not listed here.

  python -m fraudlab.plugins sampler
  python -m fraudlab.train sampler=smote sampler.params.k_neighbors=3

Groups: {", ".join(GROUPS)}
"""


def main(arguments: list[str]) -> int:
    """List."""
    if len(arguments) > 1:
        raise UserError(f"expected one group, got {arguments!r}")
    if arguments and arguments[0] not in GROUPS:
        raise UserError(f"no group {arguments[0]!r}{nearest(arguments[0], GROUPS)}")
    blocks = [
        f"{group}\n" + "\n".join(_described(group, name) for name in registry.names(group))
        for group in arguments or GROUPS
    ]
    print("\n\n".join(blocks))  # noqa: T201
    return 0


def _described(group: str, name: str) -> str:
    try:
        factory, taken = registry.get(group, name), registry.signature(group, name)
    except PluginError as error:
        return f"  {name}: BROKEN, {error}"
    summary = (inspect.getdoc(factory) or "").partition("\n")[0]
    lines = [f"  {name}: {summary}", f"      {_place(group, name)}"]
    for parameter, hint in taken:
        default = parameter.default
        value = "" if default is inspect.Parameter.empty else f"={value_text(default)}"
        lines.append(f"      {registry.dotted(group, parameter.name)}{value}  ({type_text(hint)})")
    return "\n".join(lines)


def _place(group: str, name: str) -> str:
    factory = registry.get(group, name)
    file = os.path.relpath(inspect.getsourcefile(factory) or "")
    package = registry.package(group, name)
    place = f"{file}:{inspect.getsourcelines(factory)[1]}"
    return place if package == "fraudlab" else f"{place} of {package}"


if __name__ == "__main__":
    run_command(main, lambda: USAGE)
