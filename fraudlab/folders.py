"""The folders of YAML: which options they hold, and where a key of the configuration was set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from fraudlab.errors import ConfigError

RECIPE = "experiment"
_REFERENCE = re.compile(r"^\$\{(?:oc\.select:)?([\w.]+)")


class Folders:
    """Folders of YAML; no name may stand in two of them."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        known: dict[Path, Path] = {}
        for folder in paths:
            for file in sorted(folder.rglob("*.yaml")):
                other = known.setdefault(file.relative_to(folder), file)
                if other != file:
                    raise ConfigError(f"{file} would hide {other}: give it another name")

    def options(self, group: str) -> list[str]:
        """Return the YAML stems of a group."""
        stems = {
            str(file.relative_to(folder / group).with_suffix(""))
            for folder in self.paths
            for file in (folder / group).rglob("*.yaml")
        }
        return sorted(stems)

    def file(self, group: str, stem: str) -> Path | None:
        """Return the YAML of an option."""
        files = (folder / group / f"{stem}.yaml" for folder in self.paths)
        return next((file for file in files if file.is_file()), None)

    def stands_alone(self, group: str, stem: str) -> bool:
        """Return whether an option says nothing of other groups.

        Its part of the configuration is then the same whatever is chosen beside it.
        """
        return all(
            "@package" not in text and all(isinstance(each, str) for each in _defaults(text))
            for text in (file.read_text("utf-8") for file in self._family(group, stem))
        )

    def _family(self, group: str, stem: str) -> Iterator[Path]:
        """Yield the YAML of an option, then of the options it builds upon."""
        file = self.file(group, stem)
        if file is None:
            return
        yield file
        for each in _defaults(file.read_text("utf-8")):
            if isinstance(each, str) and each not in {"_self_", stem}:
                yield from self._family(group, each)

    def naming(self, stem: str, options: Mapping[str, str]) -> Path | None:
        """Return the YAML among the chosen options whose defaults name `stem`."""
        return next(
            (
                file
                for group, chosen in options.items()
                for file in self._family(group, chosen)
                for entry in _defaults(file.read_text("utf-8"))
                if isinstance(entry, dict) and stem in entry.values()
            ),
            None,
        )

    def where_set(self, key: str, words: Mapping[str, str], options: Mapping[str, str]) -> str:
        """Return where a key was set, in brackets: a word, or file and line; '' if unknown.

        Parameters
        ----------
        key
            A dotted key; `model.params` is about all below it.
        words
            By dotted key, where the values set by words were said.
        options
            The YAML stem chosen in each group.
        """
        said = [where for word, where in words.items() if _about(word, key)]
        if said:
            return f" ({'; '.join(said)})"
        for file, path in self._places(key, options):
            node = _node(file, path)
            if node is not None:
                source = _REFERENCE.match(str(node.value))
                further = self.where_set(source[1], words, options) if source else ""
                further = f", which takes it from {source[1]}{further}" if source else ""
                return f" (from {shown(file)}:{node.start_mark.line + 1}{further})"
        group = key.partition(".")[0]
        option = self.file(group, options.get(group, ""))
        return f" (from {shown(option)})" if option else ""

    def _places(self, key: str, options: Mapping[str, str]) -> Iterator[tuple[Path, list[str]]]:
        group, *inside = key.split(".")
        for file in self._family(RECIPE, options.get(RECIPE, "")):
            yield file, [group, *inside]
        for file in self._family(group, options.get(group, "")):
            yield file, inside
        for folder in self.paths:
            if (folder / "config.yaml").is_file():
                yield folder / "config.yaml", [group, *inside]


def shown(file: Path) -> str:
    """Return the end of a path: the option, its group, and the folder they are in."""
    return str(Path(*file.parts[-3:]))


def _about(word: str, key: str) -> bool:
    return word == key or word.startswith(f"{key}.") or key.startswith(f"{word}.")


def _defaults(text: str) -> list[object]:
    content = yaml.safe_load(text)
    found = content.get("defaults") if isinstance(content, dict) else None
    return found if isinstance(found, list) else []


def _node(file: Path, path: Sequence[str]) -> yaml.Node | None:
    """Return the node of a YAML file at a path of keys; its mark knows the line."""
    node = yaml.compose(file.read_text("utf-8"), yaml.SafeLoader)
    found: yaml.Node | None = node
    for key in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        found, node = next(
            ((name, value) for name, value in node.value if name.value == key), (None, None)
        )
    return node if isinstance(node, yaml.ScalarNode) else found
