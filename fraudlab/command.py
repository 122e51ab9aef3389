"""What every command shares: key=value arguments in, one paragraph instead of a traceback out."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import msgspec

from fraudlab.errors import FraudlabError, UserError

Arguments = TypeVar("Arguments", bound=msgspec.Struct)

VERBOSE = ("-v", "--verbose")
HELP = ("-h", "--help")
INTERRUPTED = 130


@dataclass(slots=True)
class Flags:
    """A command line, sorted."""

    overrides: list[str]
    multirun: bool = False
    show_config: bool = False
    config_dir: str | None = None


def run_command(main: Callable[[list[str]], int], usage: Callable[[], str]) -> NoReturn:
    """Run `main` with the command line and leave with its exit code.

    0 done, 1 it failed, 2 asked wrongly, 130 interrupted. `-v` shows the traceback of an error.
    """
    arguments = sys.argv[1:]
    if any(flag in arguments for flag in HELP):
        print(usage().strip())  # noqa: T201
        sys.exit(0)
    verbose = any(flag in arguments for flag in VERBOSE)
    try:
        code = main([argument for argument in arguments if argument not in VERBOSE])
        sys.stdout.flush()
    except KeyboardInterrupt:
        _say("interrupted; what was finished is kept")
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone: nothing to report to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001 (the edge is where every error ends)
        if verbose:
            traceback.print_exc()
        code = _report(error)
    sys.exit(code)


def _report(error: Exception) -> int:
    if isinstance(error, FraudlabError):
        _say(f"error: {error}")
        return error.exit_code
    if isinstance(error, OSError):
        _say(f"error: {error.strerror or error}: {error.filename or ''}; nothing was half-written")
        return 1
    _say(
        f"error: {type(error).__name__}: {error} (this is a fault of fraudlab; add -v for the"
        " traceback and report it)"
    )
    return 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def parse_flags(arguments: list[str]) -> Flags:
    """Return the flags and the overrides between them.

    Raises
    ------
    UserError
        If a flag does not exist, or lacks its value.
    """
    flags = Flags([])
    rest = iter(arguments)
    for argument in rest:
        name, _, value = argument.partition("=")
        if argument in {"-m", "--multirun"}:
            flags.multirun = True
        elif name == "--cfg":
            flags.show_config = True
        elif name in {"--config-dir", "-cd"}:
            flags.config_dir = value or next(rest, None)
            if flags.config_dir is None:
                raise UserError("--config-dir needs a folder")
        elif argument.startswith("-"):
            raise UserError(f"no flag {argument!r}; flags are -m, --cfg, --config-dir, -v, --help")
        elif argument != "job":  # `--cfg job`, as Hydra spells it
            flags.overrides.append(argument)
    return flags


def parse_arguments(arguments: Sequence[str], shape: type[Arguments]) -> Arguments:
    """Return `key=value` arguments as a Struct.

    Raises
    ------
    UserError
        If an argument is no key=value, its key is unknown, or its value has the wrong type.
    """
    from fraudlab.registry import nearest

    known = [field.name for field in msgspec.structs.fields(shape)]
    given: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise UserError(f"expected key=value, got {argument!r}; keys are {', '.join(known)}")
        if key not in known:
            raise UserError(f"no argument {key!r}{nearest(key, known)}")
        given[key] = value
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        key = path.rstrip("`")
        got = f", got {given[key]!r}" if key in given else ""
        raise UserError(f"{key or 'arguments'}: {what}{got}") from error
