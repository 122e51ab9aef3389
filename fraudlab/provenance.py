"""Where a result came from, config, data, code, libraries; and the key that says if it is new."""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from fraudlab import __version__
from fraudlab.config import GROUPS, Config, key_of

LIBRARIES = (
    "imbalanced-learn",
    "lightgbm",
    "msgspec",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "polars",
    "scikit-learn",
    "scipy",
    "xgboost",
    "xgboost-cpu",
)


_USER = re.compile(
    r"(?<!/)//(?!/)\S*@"
)  # up to the last @: what a password may hold is nobody's to say
_ASKED = re.compile(r"(?i)(password|passwd|pwd|token|secret)=[^&\s]*")
Commit: TypeAlias = tuple[str | None, bool | None]  # and whether the code goes beyond it


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a bundle says of its origin."""

    key: str
    config: dict[str, Any]
    data_fingerprint: str
    code: str
    commit: str | None
    dirty: bool | None
    versions: dict[str, str]
    seed: int
    mlflow_run_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for the manifest."""
        return {name: getattr(self, name) for name in self.__slots__}


def provenance(
    config: Config,
    data_fingerprint: str,
    mlflow_run_id: str | None,
    commit: Commit | None = None,
) -> Provenance:
    """Return the provenance of a candidate about to be trained.

    `commit` is that of the launch, where somebody looked it up; otherwise it is looked up now.
    """
    known, dirty = commit or git_state()
    return Provenance(
        key=resume_key(config, data_fingerprint),
        config=msgspec.json.decode(msgspec.json.encode(config)),
        data_fingerprint=data_fingerprint,
        code=code_version(),
        commit=known,
        dirty=dirty,
        versions=library_versions(),
        seed=config.seed,
        mlflow_run_id=mlflow_run_id,
    )


def masked(value: Any) -> Any:
    """Return a value without the user and password that an address may carry."""
    if not isinstance(value, str):
        return value
    return _ASKED.sub(r"\1=***", _USER.sub("//***@", value))


def resume_key(config: Config, data_fingerprint: str) -> str:
    """Return the key of a result: resolved config, data, code, and outside plugins' versions."""
    return key_of(config, data_fingerprint, code_version(), *_plugin_versions())


def code_of_results() -> list[str]:
    """Return what else than config and data decides what is computed: code, plugins, libraries."""
    libraries = [f"{name}=={found}" for name, found in library_versions().items()]
    return [code_version(), *_plugin_versions(), *libraries]


@cache
def code_version() -> str:
    """Return the sha256 of fraudlab's own source as it was when this process first asked."""
    return source_version()


def source_version() -> str:
    """Return the sha256 of fraudlab's own source as it is now."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for file in sorted(root.rglob("*.py")):
        digest.update(f"{file.relative_to(root)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _plugin_versions() -> tuple[str, ...]:
    return _versions_on(tuple(sys.path))


@cache
def _versions_on(_path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the outside distributions that have plugins; looking takes 50 ms, so once per path."""
    installed = entry_points()
    found = {
        f"{point.dist.name}=={point.dist.version}"
        for group in GROUPS
        for point in installed.select(group=f"fraudlab.{group}")
        if point.dist is not None
    }
    return tuple(sorted(found))


@cache
def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries a result depends on."""
    found = {"python": platform.python_version(), "fraudlab": __version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def git_state() -> Commit:
    """Return a commit and whether the code has changes beyond it; None outside git.

    It is the commit of fraudlab's own checkout; where fraudlab was installed from a wheel, that of
    the current folder, which holds the experiment.
    """
    for folder in (Path(__file__).parent, Path.cwd()):
        commit = _git(folder, "rev-parse", "HEAD")
        if commit is not None:
            return commit, bool(_git(folder, "status", "--porcelain", "--", "."))
    return None, None


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 (fixed arguments)
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
