"""The service's settings: environment variables in, one frozen Struct out, or one clear refusal."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from fraudlab.errors import UserError
from fraudlab.threads import VARIABLE as THREADS

PREFIX = "FRAUDLAB_"
HOME = "FRAUDLAB_HOME"
TRAINING = frozenset({THREADS})  # settings of training, which may share an environment with us
_MIB = 1 << 20
Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]


class SettingsError(UserError):
    """An environment variable of the service has a value that cannot be, or does not exist."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One attribute per variable: `port` is FRAUDLAB_PORT."""

    bundle: Annotated[
        str, Meta(min_length=1, description="the bundle's folder, relative to FRAUDLAB_HOME")
    ] = "bundles/champion"
    host: Annotated[str, Meta(min_length=1, description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on; 0 picks one")] = 8000
    workers: Annotated[int, Meta(ge=1, le=256, description="processes that share the port")] = 1
    body_limit: Annotated[Count, Meta(description="largest body in bytes, but for batches")] = _MIB
    batch_body_limit: Annotated[Count, Meta(description="largest body of a batch in bytes")] = (
        16 * _MIB
    )
    batch_rows: Annotated[Count, Meta(description="most transactions in a batch")] = 10_000
    batch_threads: Annotated[
        int, Meta(ge=1, le=256, description="threads that score batches, per worker")
    ] = 2
    body_seconds: Annotated[Seconds, Meta(description="time a body has to arrive, else 408")] = 10.0
    shutdown_seconds: Annotated[
        int, Meta(ge=1, le=3600, description="time that running requests get when it stops")
    ] = 10
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="debug, info, warning or error: lines below it are not written"),
    ] = "info"
    log_target: Annotated[
        str, Meta(min_length=1, description="stdout, stderr, none, or a file to append to")
    ] = "stdout"
    home: Annotated[str, Meta(description="where relative paths start")] = "."
    metrics_folder: str = ""  # set by the first process: where workers share their figures

    @property
    def bundle_path(self) -> Path:
        """The folder of the bundle."""
        return Path(self.home) / self.bundle


_INTERNAL = {"home", "metrics_folder"}
VARIABLES = {
    PREFIX + field.encode_name.upper(): field
    for field in msgspec.structs.fields(Settings)
    if field.name not in _INTERNAL
}


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings in `environ`.

    Raises
    ------
    SettingsError
        If a FRAUDLAB_ variable does not exist or its value is not possible.
    """
    given = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
    given = {name: text for name, text in given.items() if name not in TRAINING}
    home = given.pop(HOME, "") or "."
    values: dict[str, Any] = {"home": str(Path(home).absolute())}
    for name, text in given.items():
        if name not in VARIABLES:
            near = difflib.get_close_matches(name, VARIABLES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(VARIABLES)}."
            raise SettingsError(f"The service has no setting {name}; {hint}")
        values[VARIABLES[name].name] = _convert(name, text)
    return Settings(**values)


def _convert(name: str, text: str) -> object:
    try:
        return msgspec.convert(text, VARIABLES[name].type, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"{name} is {text!r}: {str(error).lower()}. Expected: {_describe(name)}."
        ) from error


def _describe(name: str) -> str:
    field = VARIABLES[name]
    for meta in getattr(field.type, "__metadata__", ()):
        if meta.description:
            return f"{meta.description} (default {field.default})"
    raise AssertionError(f"{name} has no description")


def describe_variables() -> str:
    """Return one line per variable, for --help."""
    names = [HOME, *VARIABLES]
    width = max(map(len, names)) + 2
    lines = [f"  {HOME:<{width}}where relative paths start (default: the current folder)"]
    lines += [f"  {name:<{width}}{_describe(name)}" for name in VARIABLES]
    return "\n".join(lines)
