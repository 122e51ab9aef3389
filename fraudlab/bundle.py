"""Bundles on disk: built in memory, written all or nothing, verified before anything is used.

A bundle is a folder of data files only. `manifest.json` lists every other file with its size and
sha256, and carries a checksum of its own; the bytes that were hashed are the bytes that are used
(nothing is opened twice).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fraudlab.errors import BundleError
from fraudlab.manifest import FORMAT, FileEntry, Manifest
from fraudlab.scoring import Scorer

MANIFEST = "manifest.json"
MODEL = "model.onnx"
GOLDEN = "golden.ndjson"
REFERENCE = "reference.json"
CARD = "card.md"
FILES = (MODEL, GOLDEN, REFERENCE, CARD)
OPTIONAL = ("manifest.sig",)
LIMITS = {MANIFEST: 16 << 20, MODEL: 2 << 30}
OTHER_LIMIT = 64 << 20
CHAMPION = "champion"
_UNSEALED = "0" * 64  # stands for the manifest's checksum while that is computed


class GoldenRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of golden.ndjson: a valid request and the answer the bundle must give."""

    features: dict[str, float | str | None]
    score: float
    is_fraud: bool


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle in memory: its manifest, and its files by name."""

    manifest: Manifest
    files: dict[str, bytes]

    def scorer(self) -> Scorer:
        """Load the graph and return the scorer."""
        return Scorer(self.manifest, self.files[MODEL])

    def golden(self) -> list[GoldenRow]:
        """Return the golden rows."""
        lines = self.files[GOLDEN].splitlines()
        return [msgspec.json.decode(line, type=GoldenRow) for line in lines]

    @property
    def sha256(self) -> str:
        """Return the digest of the model file."""
        return self.manifest.files[MODEL].sha256


def pack(manifest: Manifest, files: dict[str, bytes]) -> Bundle:
    """Return the bundle of `files`, its manifest completed with their sizes and digests."""
    if set(files) != set(FILES):
        raise BundleError(f"a bundle holds exactly {sorted(FILES)}, got {sorted(files)}")
    entries = {name: _entry(files[name]) for name in FILES}
    return Bundle(msgspec.structs.replace(manifest, files=entries), dict(files))


def _entry(content: bytes) -> FileEntry:
    return FileEntry(size=len(content), sha256=hashlib.sha256(content).hexdigest())


def encode_manifest(manifest: Manifest) -> bytes:
    """Return manifest.json's bytes, sealed by their checksum."""
    unsealed = msgspec.structs.replace(manifest, checksum=_UNSEALED)
    content = msgspec.json.format(msgspec.json.encode(unsealed, order="deterministic"), indent=1)
    seal = hashlib.sha256(content).hexdigest()
    return seal.encode().join(content.rsplit(_UNSEALED.encode(), 1))


def _is_sealed(content: bytes, seal: str) -> bool:
    unsealed = _UNSEALED.encode().join(content.rsplit(seal.encode(), 1)) if seal else content
    return hashlib.sha256(unsealed).hexdigest() == seal


def write_bundle(bundle: Bundle, folder: Path) -> Path:
    """Write the bundle as `folder`/<id>, all of it or nothing, and return its path.

    The files go to a temporary folder beside, are synced, and one rename makes them visible.

    Raises
    ------
    BundleError
        If another bundle of the same id is there: a bundle is never replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / bundle.manifest.id
    temporary = folder / f".{bundle.manifest.id}.{uuid.uuid4().hex[:8]}.tmp"
    temporary.mkdir()
    try:
        for name in FILES:
            write_synced(temporary / name, bundle.files[name])
        write_synced(temporary / MANIFEST, encode_manifest(bundle.manifest))
        sync_folder(temporary)
        _make_visible(temporary, target, bundle)
        sync_folder(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _make_visible(temporary: Path, target: Path, bundle: Bundle) -> None:
    try:
        temporary.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        if read_bundle(target).files != bundle.files:
            raise BundleError(
                f"another bundle {target.name} is in {str(target.parent)!r} already; remove it"
            ) from None


def write_synced(path: Path, content: bytes) -> None:
    """Write `content` and wait until the disk has it."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step: a reader sees the old or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        write_synced(temporary, content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def switch_link(folder: Path, alias: str, target: str) -> None:
    """Point the relative symlink `folder`/`alias` at `target` in one rename."""
    temporary = folder / f".{alias}.{uuid.uuid4().hex[:8]}.tmp"
    temporary.symlink_to(target)
    try:
        temporary.replace(folder / alias)
    finally:
        temporary.unlink(missing_ok=True)


def read_bundle(path: Path) -> Bundle:
    """Read and verify the bundle in folder `path`.

    Raises
    ------
    BundleError
        If the folder or a file is missing, is not a plain file, has another size or digest than
        the manifest says, is not listed in it, or the manifest is not of format 1.
    """
    try:
        return _read_bundle(Path(path))
    except BundleError:
        raise
    except (OSError, ValueError) as error:
        # A name with a NUL in it, a loop of links, a folder that may not be read, a broken disk.
        raise BundleError(f"bundle {str(path)!r} cannot be read: {error}") from error


def _read_bundle(path: Path) -> Bundle:
    if not path.is_dir():
        raise BundleError(
            f"no bundle at {str(path)!r}: train one with `make demo`, or name its folder"
        )
    root = path.resolve()
    manifest = _decode_manifest(_read_plain(root / MANIFEST), root)
    _refuse_strangers(root)
    if set(manifest.files) != set(FILES):
        raise BundleError(
            f"{root.name}/{MANIFEST} lists {sorted(manifest.files)}, a bundle holds {sorted(FILES)}"
        )
    files = {name: _read_verified(root / name, manifest.files[name]) for name in FILES}
    return Bundle(manifest, files)


def _refuse_strangers(root: Path) -> None:
    allowed = {MANIFEST, *FILES, *OPTIONAL}
    strangers = sorted(entry.name for entry in root.iterdir() if entry.name not in allowed)
    if strangers:
        raise BundleError(f"bundle {root.name} holds files that do not belong to it: {strangers}")


def _read_plain(path: Path) -> bytes:
    name = f"bundle file {path.parent.name}/{path.name}"
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"{name} is missing or not a plain file")
    limit, size = LIMITS.get(path.name, OTHER_LIMIT), path.stat().st_size
    if size > limit:
        raise BundleError(f"{name} has {size} bytes, allowed are {limit}")
    with path.open("rb") as stream:
        return stream.read(limit + 1)


def _read_verified(path: Path, entry: FileEntry) -> bytes:
    content = _read_plain(path)
    found = _entry(content)
    if found != entry:
        raise BundleError(
            f"bundle file {path.parent.name}/{path.name} is damaged: its manifest says"
            f" {entry.size} bytes, sha256 {entry.sha256[:12]}…; found {found.size} bytes,"
            f" {found.sha256[:12]}…; export or copy the bundle again"
        )
    return content


def _decode_manifest(content: bytes, root: Path) -> Manifest:
    try:
        number = msgspec.json.decode(content, type=_Versioned).format
        if number != FORMAT:
            raise BundleError(
                f"bundle {root.name} has format {number!r}, this fraudlab reads format {FORMAT}"
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"bundle {root.name}: {MANIFEST} cannot be read: {error}") from error
    if not _is_sealed(content, manifest.checksum):
        raise BundleError(
            f"bundle file {root.name}/{MANIFEST} is damaged or was edited: it does not have the"
            f" checksum it names, {manifest.checksum[:12]!r}; export or copy the bundle again"
        )
    return manifest


class _Versioned(msgspec.Struct):
    format: int
