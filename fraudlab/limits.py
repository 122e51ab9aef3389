"""What launches candidates and what each of them may use: durations and sizes as people write them.

A duration is seconds, or a number with s, m, h or d (90, 20m, 1.5h); a size is bytes, or a number
with kB, MB, GB or TB (powers of 1,000) or KiB, MiB, GiB or TiB (powers of 1,024).
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
BYTES = {"": 1, "b": 1} | {
    f"{letter}{kind}": base**power
    for kind, base in (("b", 1000), ("ib", 1024))
    for power, letter in enumerate("kmgt", 1)
}
DURATION_RULE = "must be seconds, or a number with s, m, h or d such as 20m"
SIZE_RULE = "must be a number with MB, GB, MiB or GiB such as 4GB"
READ = {  # what each launcher reads, beside its name
    "local": ("timeout", "memory"),
    "inline": (),
    "ray": ("timeout", "memory", "address"),
    "submitit": ("timeout", "memory", "options"),
}
_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


class LauncherSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What runs the candidates of a sweep.

    Attributes
    ----------
    name
        local: each in a process of its own; inline: one after the other in this process, for a
        debugger; ray and submitit: on the machines these libraries know.
    timeout
        How long one candidate may take, None for as long as it likes.
    memory
        How much memory of its own one candidate may hold; None for its share of what is free.
    address
        Of ray: the cluster; None starts one on this machine.
    options
        Of submitit: what its executor is told, such as slurm_partition; None is nothing.
    """

    name: Literal["local", "inline", "ray", "submitit"] = "local"
    timeout: str | float | None = None
    memory: str | int | None = None
    address: str | None = None
    options: dict[str, Any] | None = {}

    @property
    def seconds(self) -> float | None:
        """The timeout in seconds."""
        return None if self.timeout is None else duration(self.timeout)

    @property
    def bytes(self) -> int | None:
        """The memory in bytes."""
        return None if self.memory is None else size(self.memory)

    def fault(self) -> tuple[str, str] | None:
        """Return the key that is unread or cannot be understood, and what to do; None is fine."""
        for key in self.__struct_fields__[1:]:
            unset, got = getattr(LauncherSettings(), key), getattr(self, key)
            if got is not None and got != unset and key not in READ[self.name]:
                readers = [f"launcher={name}" for name, keys in READ.items() if key in keys]
                return key, (
                    f"is not read by launcher={self.name}, got {got!r}: leave it out"
                    f" (launcher.{key}=null), or choose {' or '.join(readers)}"
                )
        if self.timeout is not None and not duration(self.timeout):
            return "timeout", f"{DURATION_RULE}, above 0; got {self.timeout!r}"
        if self.memory is not None and not size(self.memory):
            return "memory", f"{SIZE_RULE}, above 0; got {self.memory!r}"
        return None


def duration(text: str | float) -> float | None:
    """Return seconds; None when the text is no duration."""
    found = _WRITTEN.fullmatch(str(text))
    unit = SECONDS.get(found[2].lower()) if found else None
    return None if found is None or unit is None else float(found[1]) * unit


def size(text: str | float) -> int | None:
    """Return bytes; None when the text is no size."""
    found = _WRITTEN.fullmatch(str(text))
    unit = BYTES.get(found[2].lower()) if found else None
    return None if found is None or unit is None else int(float(found[1]) * unit)
