"""The page on choosing: its commands compose, and its older numbers agree with each other."""

from __future__ import annotations

import re
import shlex

import pytest

from fraudlab import registry
from fraudlab.composition import Composer
from tests.conftest import ROOT

PAGES = [ROOT / "docs" / "choosing.md", ROOT / "docs" / "plugins.md"]
TEXT = PAGES[0].read_text()
COMMANDS = [
    command
    for page in PAGES
    for command in re.findall(
        r"^    python -m fraudlab\.train (.+)$", page.read_text(), re.MULTILINE
    )
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_composes(command):
    words = [word for word in shlex.split(command) if word != "-m"]
    assert Composer().plan(words, multirun="-m" in shlex.split(command)).candidates


@pytest.mark.parametrize("group", ["threshold_strategy", "selection"])
def test_the_page_says_when_to_choose_each(group):
    for name in registry.names(group):
        assert f"`{name}`" in TEXT, name


def test_the_tables_of_the_page_add_up():
    chapter = TEXT[TEXT.index("## The older rule's mistake") :]
    rows = re.findall(r"^\| (?:logreg|xgb) \|(.+)\|$", chapter, re.MULTILINE)
    assert len(rows) == 12
    for row in rows:
        _, recall, precision, _, alerts, false, per_day, _ = (
            cell.strip(" *") for cell in row.split("|")
        )
        hits = int(alerts) - int(false)
        assert float(recall) == pytest.approx(hits / 152, abs=5e-4)
        assert float(precision) == pytest.approx(hits / int(alerts), abs=5e-4)
        assert float(per_day) == pytest.approx(int(alerts) / 7, abs=0.05)
