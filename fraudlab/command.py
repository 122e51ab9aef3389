"""What every command shares: key=value arguments in, one paragraph instead of a traceback out."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar, get_type_hints

import msgspec

from fraudlab.errors import FraudlabError, UserError
from fraudlab.wording import nearest, type_text

Arguments = TypeVar("Arguments", bound=msgspec.Struct)

VERBOSE = ("-v", "--verbose")
HELP = ("-h", "--help")
MULTIRUN, DRY_RUN, SHOW_CONFIG, CONFIG_DIR = "-m", "--dry-run", "--cfg", "--config-dir"
SPELLINGS = {"--multirun": MULTIRUN, "-n": DRY_RUN, "-c": SHOW_CONFIG, "-cd": CONFIG_DIR}
SWITCHES = (MULTIRUN, DRY_RUN)  # they take no value
INTERRUPTED = 130


@dataclass(slots=True)
class Flags:
    """A command line, sorted."""

    overrides: list[str]
    multirun: bool = False
    dry_run: bool = False
    show_config: bool = False
    config_dir: str | None = None


def run_command(main: Callable[[list[str]], int], usage: Callable[[], str]) -> NoReturn:
    """Run `main` with the command line and leave with its exit code.

    0 done, 1 it failed, 2 asked wrongly, 130 interrupted. `-v` shows the traceback of an error.
    """
    arguments = sys.argv[1:]
    if sys.stdout is None or sys.stderr is None:  # closed by the caller, as in `>&-`
        sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
        sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    try:
        if any(flag in arguments for flag in HELP):
            print(usage().strip(), flush=True)  # noqa: T201
            sys.exit(0)
        code = main([argument for argument in arguments if argument not in VERBOSE])
        sys.stdout.flush()
    except KeyboardInterrupt:
        _say("interrupted; what was finished is kept")
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone: nothing to report to
        code = 0
    except Exception as error:  # noqa: BLE001 (the edge is where every error ends)
        if any(flag in arguments for flag in VERBOSE):
            traceback.print_exc()
        code = _report(error)
    _drop_unwritable_output()
    sys.exit(code)


def _drop_unwritable_output() -> None:
    """Keep the interpreter from failing at exit over output that a full disk or pipe refuses."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception) -> int:
    if isinstance(error, FraudlabError):
        _say(f"error: {error}")
        return error.exit_code
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        _say(f"error: {error.strerror or error}{place}; nothing was left half-written")
        return 1
    _say(
        f"error: {type(error).__name__}: {error} (this is a fault of fraudlab; add -v for the"
        " traceback and report it)"
    )
    return 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def parse_flags(arguments: Sequence[str], allowed: Sequence[str]) -> Flags:
    """Return the flags and the overrides between them.

    Parameters
    ----------
    arguments
        The command line.
    allowed
        The flags that mean something to the command, out of MULTIRUN, DRY_RUN,
        SHOW_CONFIG and CONFIG_DIR.

    Raises
    ------
    UserError
        If a flag does not exist, means nothing to the command, or lacks its value.
    """
    flags = Flags([])
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, _, value = argument.partition("=")
        flag = SPELLINGS.get(name, name)
        if not argument.startswith("-"):
            flags.overrides.append(argument)
        elif flag not in allowed or (flag in SWITCHES and argument != name):
            raise UserError(f"no flag {argument!r}; flags are {', '.join(allowed)}, -v, --help")
        elif flag == MULTIRUN:
            flags.multirun = True
        elif flag == DRY_RUN:
            flags.dry_run = True
        elif flag == SHOW_CONFIG:
            flags.show_config = True
            kind = rest.pop(0) if rest[:1] == ["job"] else value or "job"  # as Hydra spells it
            if kind != "job":
                raise UserError(f"--cfg prints the composed configuration, got {argument!r}")
        else:
            flags.config_dir = value or (rest.pop(0) if rest else None)
            if flags.config_dir is None:
                raise UserError("--config-dir needs a folder")
    return flags


def parse_arguments(arguments: Sequence[str], shape: type[Arguments]) -> Arguments:
    """Return `key=value` arguments as a Struct.

    Raises
    ------
    UserError
        If an argument is not key=value, its key is unknown, missing or given twice, or its value
        has the wrong type.
    """
    hints = get_type_hints(shape, include_extras=True)
    given: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise UserError(f"expected key=value, got {argument!r}; keys are {', '.join(hints)}")
        if key not in hints:
            raise UserError(f"no argument {key!r}{nearest(key, hints)}")
        if key in given:
            raise UserError(f"{key} is given twice, {given[key]!r} and {value!r}: keep one")
        given[key] = value
    for field in msgspec.structs.fields(shape):
        if field.required and field.name not in given:
            raise UserError(f"{field.name}=... is missing; --help says what it is")
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        key = str(error).rpartition("`$.")[2].rstrip("`")
        kind = type_text(hints.get(key))
        raise UserError(f"{key} must be {kind}, got {given.get(key)!r}") from error
