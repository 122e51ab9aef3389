"""The documentation names what exists, and all of it."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest

from fraudlab import registry
from fraudlab.composition import Composer
from fraudlab.config import GROUPS
from tests.conftest import ROOT, run_process

PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_plugin_stands_in_the_docs_and_no_other():
    told = {
        tuple(row[:2])
        for row in rows((ROOT / "docs" / "plugins.md").read_text())
        if row[0] in GROUPS
    }
    assert told == {(group, name) for group in GROUPS for name in registry.names(group)}


def test_the_readme_lists_every_option():
    table = {row[0].strip("`"): row[1] for row in rows((ROOT / "README.md").read_text())}
    composer = Composer()
    for group in GROUPS:
        assert sorted(table[group].split(", ")) == composer.options(group), group


def test_architecture_places_every_module():
    text = (ROOT / "docs" / "architecture.md").read_text()
    owners = [row[0] for row in rows(text.partition("## Decisions")[0])]
    told = {name for owner in owners for name in re.findall(r"`(\w+)`", owner)}
    modules = {path.stem for path in (ROOT / "fraudlab").glob("*.py")}
    assert told == modules - {"__init__", "__main__"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    file = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)\)", file.read_text()):
        if "://" not in target:
            assert (file.parent / target).exists(), target


def test_the_recipe_of_the_docs_composes(tmp_path):
    text = (ROOT / "docs" / "experiments.md").read_text()
    recipe = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "country_shops.yaml").write_text(recipe)
    plan = Composer(str(tmp_path)).plan(["experiment=country_shops"])
    assert len(plan.candidates) == 6
    assert {candidate.config.data.params["positive"] for candidate in plan.candidates} == {"yes"}


def test_the_package_itself_lists_its_commands(tmp_path):
    done = run_process("fraudlab", cwd=tmp_path)
    assert done.code == 0
    for name in re.findall(r"python -m (fraudlab\.\w+)", done.out):
        assert find_spec(name), name
    commands = {p.stem for p in (ROOT / "fraudlab").glob("*.py") if "\nUSAGE" in p.read_text()}
    assert set(re.findall(r"fraudlab\.(\w+)", done.out)) == {*commands, "plugins"}
