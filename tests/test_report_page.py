"""The report in a real browser: the slider's numbers, a phone's width, paper, and no complaints."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fraudlab.config import Costs
from fraudlab.metrics import evaluate
from fraudlab.reporting.gathering import RunFacts, find_run, gather_run
from fraudlab.scoring import row_cuts
from tests.browser import Browser, needs_browser
from tests.conftest import run_process
from tests.reports import WITH_ALL, MakeOnce, train_once
from tests.test_report import SPLIT

pytestmark = needs_browser
READ = """
const cells = [...page.querySelectorAll("[data-part]")];
return {
  value: page.getElementById("value").dataset.raw,
  numbers: cells.map((cell) => [cell.dataset.part, cell.dataset.metric, cell.dataset.raw]),
  texts: cells.map((cell) => cell.textContent),
};
"""
SLIDE = """
const slider = page.getElementById("cut");
slider.value = %d;
slider.dispatchEvent(new view.Event("input"));
slider.dispatchEvent(new view.Event("change"));
"""
PHONE, DESKTOP = 375, 1100


@dataclass(frozen=True)
class Page:
    """A page, and the home of the runs that it is about."""

    path: Path
    home: Path

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.text.partition('id="cuts">')[2].partition("</script>")[0])


@pytest.fixture(scope="module")
def reported(make_once: MakeOnce, tmp_path_factory: pytest.TempPathFactory) -> Page:
    words = (*WITH_ALL, *SPLIT, "model=tree,logreg", "-m")
    return report_of(train_once(make_once, "swept", *words), tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def by_amount(make_once: MakeOnce, tmp_path_factory: pytest.TempPathFactory) -> Page:
    words = ("model=logreg", "threshold_strategy=amount_cost", "bootstrap.resamples=0")
    home = train_once(make_once, "amounts", *WITH_ALL, *SPLIT, *words)
    return report_of(home, tmp_path_factory.mktemp("page"))


def report_of(home: Path, folder: Path) -> Page:
    path = folder / "report.html"
    done = run_process("fraudlab.report", f"output={path}", cwd=folder, FRAUDLAB_HOME=str(home))
    assert done.code == 0, done.err
    return Page(path, home)


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(tmp_path / "browser")


@pytest.fixture
def facts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> RunFacts:
    """Return the run that the page is about: the one whose promotion it proposes."""
    page: Page = request.getfixturevalue("page")
    monkeypatch.setenv("FRAUDLAB_HOME", str(page.home))
    key = page.text.partition("fraudlab.promote run=")[2].partition("<")[0]
    return gather_run(find_run(key))


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Page:
    found: Page = request.getfixturevalue(getattr(request, "param", "reported"))
    return found


def read(answer: dict[str, Any]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for part, metric, raw in answer["numbers"]:
        found.setdefault(part, {})[metric] = float(raw)
    return found


def expected(facts: RunFacts, part: str, value: float) -> dict[str, float]:
    scores, cut = facts.shipped[part], facts.manifest.threshold
    assert scores.amount is not None
    by_amount = cut.alert_cost is not None
    thresholds = row_cuts(value, value if by_amount else None, scores.amount)
    return evaluate(scores, thresholds, Costs())


def check(facts: RunFacts, answer: dict[str, Any]) -> float:
    value = float(answer["value"])
    for part, numbers in read(answer).items():
        truth = expected(facts, part, value)
        assert len(numbers) == 13
        for name, number in numbers.items():
            assert number == pytest.approx(truth[name], rel=1e-12, abs=1e-12), (part, name)
    return value


@pytest.mark.parametrize("share", [0.0, 0.5, 0.85, 1.0])
@pytest.mark.parametrize("page", ["reported", "by_amount"], indirect=True)
def test_the_slider_shows_what_the_metrics_say(
    browser: Browser, page: Page, facts: RunFacts, share: float
) -> None:
    values = page.data["values"]
    at = round(share * (len(values) - 1))
    answer = browser.ask(page.path, SLIDE % at + READ)
    assert check(facts, answer) == values[at]
    assert set(read(answer)) == {"validation", "test"}


def test_it_starts_at_the_shipped_threshold_as_it_stood_without_a_script(
    browser: Browser, page: Page, facts: RunFacts
) -> None:
    answer = browser.ask(page.path, READ)
    assert check(facts, answer) == facts.manifest.threshold.value
    for part, numbers in read(answer).items():
        for name, number in numbers.items():
            assert number == pytest.approx(getattr(facts.record.metrics, part)[name]), name
    before = re.findall(r"<td[^>]*data-part=[^>]*>(.*?)</td>", page.text)
    assert answer["texts"] == before


def test_a_link_carries_the_place_of_the_slider(browser: Browser, page: Page) -> None:
    values, shipped = page.data["values"], page.data["values"][page.data["chosen"]]
    wanted = values[len(values) // 3]
    answer = browser.ask(page.path, READ, fragment=f"#threshold={wanted}")
    assert float(answer["value"]) == wanted
    link = browser.ask(page.path, SLIDE % 7 + "return view.location.hash;")
    assert link.startswith("#threshold=")
    assert float(link.partition("=")[2]) == values[7]
    back = SLIDE % 7 + 'page.getElementById("shipped").click();' + READ
    assert float(browser.ask(page.path, back)["value"]) == shipped


@pytest.mark.parametrize("fragment", ["#threshold=NaN", "#threshold=", "#x=1", "#threshold=<b>"])
def test_a_link_that_leads_nowhere_shows_the_shipped_threshold(
    browser: Browser, page: Page, fragment: str
) -> None:
    answer = browser.ask(page.path, READ, fragment=fragment)
    assert float(answer["value"]) == page.data["values"][page.data["chosen"]]


def test_the_markers_follow_the_slider(browser: Browser, page: Page) -> None:
    places = """
      return [...page.querySelectorAll("svg.plot .marker")]
        .map((mark) => [Number(mark.getAttribute("cx")), Number(mark.getAttribute("cy"))]);
    """
    before, after = browser.ask(page.path, places), browser.ask(page.path, SLIDE % 5 + places)
    assert len(before) == 3
    for (x, y), moved in zip(before, after, strict=True):
        assert 0 < x < 400
        assert 0 < y < 290
        assert np.abs(np.subtract(moved, (x, y))).max() > 0.5


@pytest.mark.parametrize("width", [PHONE, 768, DESKTOP])
def test_nothing_is_wider_than_the_page(browser: Browser, page: Page, width: int) -> None:
    wide = """
      const room = page.documentElement.clientWidth;
      return [...page.body.querySelectorAll("*")]
        .filter((part) => !part.closest(".scroll") && part.getBoundingClientRect().right > room + 1)
        .map((part) => part.tagName + "." + part.className);
    """
    assert browser.ask(page.path, wide, width=width) == []
    size = "return page.documentElement.scrollWidth - page.documentElement.clientWidth;"
    assert browser.ask(page.path, size, width=width) <= 0


def test_everything_is_named_for_those_who_cannot_see_it(browser: Browser, page: Page) -> None:
    unnamed = """
      const bad = [];
      for (const plot of page.querySelectorAll("svg"))
        if (!plot.getAttribute("aria-label") && !plot.getAttribute("aria-hidden")) bad.push("svg");
      for (const field of page.querySelectorAll("input"))
        if (!field.labels.length) bad.push(field.id);
      const levels = [...page.querySelectorAll("h1, h2, h3")].map((head) => head.tagName);
      return {bad, levels, first: levels[0], lang: page.documentElement.lang};
    """
    answer = browser.ask(page.path, unnamed)
    assert answer["bad"] == []
    assert answer["first"] == "H1"
    assert answer["lang"] == "en"


def test_the_slider_is_moved_by_keys(browser: Browser, page: Page) -> None:
    said = """
      const slider = page.getElementById("cut");
      slider.focus();
      slider.stepUp();
      slider.dispatchEvent(new view.Event("input"));
      return [page.activeElement.id, slider.getAttribute("aria-valuetext"),
              page.getElementById("value").textContent, slider.disabled];
    """
    focused, spoken, shown, disabled = browser.ask(page.path, said)
    assert focused == "cut"
    assert spoken == shown
    assert disabled is False


def test_it_can_be_printed_and_pictured(browser: Browser, page: Page) -> None:
    paper = browser.printed(page.path)
    assert paper.startswith(b"%PDF")
    assert len(paper) > 20_000
    picture = browser.picture(page.path, DESKTOP, 2000)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 50_000  # not a blank page
