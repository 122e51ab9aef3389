"""The report of a run and of a sweep: what stands on the page, and what it does without."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fraudlab.report import _target
from tests.conftest import Run
from tests.reports import HOSTILE, WITH_ALL, MakeOnce, only, train_once

SPLIT = (
    "split=temporal",
    "split.params.start=2018-01-16",
    "split.params.train_days=10",
    "split.params.delay_days=3",
    "split.params.test_days=10",
    "tracking=disabled",
)
SECTIONS = (
    "Verdict",
    "Metrics",
    "Threshold",
    "Ranking",
    "Scores",
    "What the model lives on",
    "Drift from train to test",
    "Table",
    "Configuration",
    "Where it came from",
)
Trained = Callable[..., Path]


@pytest.fixture
def trained(home: Path, make_once: MakeOnce) -> Trained:
    """Return a function that copies a home, trained on once, into the test's own."""

    def copy(name: str, *words: str) -> Path:
        source = train_once(make_once, name, *words)
        shutil.copytree(source, home, dirs_exist_ok=True, symlinks=True)
        return home

    return copy


@pytest.fixture
def swept(trained: Trained) -> Path:
    return trained("swept", *WITH_ALL, *SPLIT, "model=tree,logreg", "-m")


def runs(home: Path) -> list[str]:
    return sorted(path.name for path in home.glob("outputs/runs/*"))


def page(home: Path) -> str:
    (found,) = home.glob("outputs/*/*/report.html")
    return found.read_text()


def said(text: str) -> str:
    """Return the text of a page as a reader sees it, roughly."""
    plain = re.sub(r"<(style|script).*?</\1>", "", text, flags=re.DOTALL)
    plain = re.sub(r"<wbr>", "", plain)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", plain)))


def headings(text: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", text)


def test_the_report_of_a_run_has_every_section_and_its_path_is_printed(
    run: Run, swept: Path
) -> None:
    key = runs(swept)[0]
    done = run("report", f"run={key[:8]}")
    assert done.code == 0, done.err
    assert done.out.strip().endswith(f"outputs/runs/{key}/report.html")
    text = page(swept)
    assert headings(text) == list(SECTIONS)
    assert 'class="missing"' not in text
    assert "On test it ranks with an average precision of" in said(text)
    assert f"python -m fraudlab.promote run={key}" in text
    assert "logreg" in text or "tree" in text


def test_the_page_asks_nothing_of_the_network(run: Run, swept: Path) -> None:
    assert run("report").code == 0
    text = page(swept)
    assert re.findall(r"https?://", text) == []
    assert re.findall(r"""(?:src|href)=["'](?!data:|#)""", text) == []
    assert re.findall(r"\bon[a-z]+=", text) == []
    assert "default-src 'none'" in text
    assert "@import" not in text
    assert "url(" not in text


def test_the_report_of_a_sweep_agrees_with_its_leaderboard(run: Run, swept: Path) -> None:
    assert run("report").code == 0
    text = page(swept)
    assert headings(text)[:3] == ["Verdict", "Leaderboard", "Is the difference sure?"]
    assert headings(text)[3:] == list(SECTIONS)
    best = re.search(r'class="best"><td>1</td>\s*<th scope="row">(\w+)</th>', text)
    assert best is not None
    lines = run("leaderboard").out.splitlines()
    first = next(line for line in lines if re.match(r"\s*1\s", line))
    assert best[1] in first
    assert f"{best[1]} won of 2 candidates: average_precision" in said(text)


def test_names_and_values_of_users_are_text_and_never_markup(run: Run, swept: Path) -> None:
    assert run("report").code == 0
    text = page(swept)
    assert HOSTILE not in text
    assert "<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert text.count("<script") == 2  # the data of the slider, and the page's own


def test_a_file_of_ones_own_choice(home: Path, run: Run, swept: Path) -> None:
    target = home / "elsewhere.html"
    done = run("report", "sweep=latest", f"output={target}")
    assert done.code == 0, done.err
    assert target.read_text().startswith("<!doctype html>")
    assert list(home.glob("outputs/*/*/report.html")) == []
    assert list(home.glob(".*.tmp")) == []


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["run=zzz"], "no run begins with 'zzz'"),
        (["run="], "no run begins with ''"),
        (["run=../.."], "no run begins with"),
        (["sweep=never"], "no sweep 'never'"),
        (["run=a", "sweep=b"], "not both"),
        (["colour=red"], "no argument 'colour'"),
        (["output=page.pdf"], "ends in .html"),
        (["output=nowhere/page.html"], "no folder 'nowhere'"),
    ],
)
def test_a_wrong_word_is_named_and_ends_with_2(
    run: Run, swept: Path, words: list[str], text: str
) -> None:
    done = run("report", *words)
    assert (done.code, done.out) == (2, "")
    assert text in done.err
    assert list(swept.glob("outputs/*/*/report.html")) == []


def test_an_unknown_run_is_told_its_nearest(run: Run, swept: Path) -> None:
    key = runs(swept)[0]
    assert f"did you mean {key!r}" in run("report", f"run={key[:-1]}x").err


def test_a_beginning_of_several_runs_names_them(home: Path, run: Run, swept: Path) -> None:
    for name in ("ffa", "ffb"):
        (home / "outputs" / "runs" / name).mkdir()
    done = run("report", "run=ff")
    assert done.code == 2
    assert "2 runs begin with 'ff': ffa, ffb" in done.err


def test_a_folder_as_output_is_refused(home: Path) -> None:
    (home / "a.html").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        _target(str(home / "a.html"))


def test_an_empty_home_says_what_to_do(home: Path, run: Run) -> None:
    done = run("report")
    assert done.code == 2
    assert "fraudlab.train" in done.err
    assert list(home.iterdir()) == []


FAILING = ("model=logreg", "sampler=smote", "sampler.params.k_neighbors=1000")


def test_a_failed_run_has_no_report_and_says_why(run: Run, trained: Trained) -> None:
    home = trained("failed", *WITH_ALL, *SPLIT, *FAILING)
    key = only(home, "outputs/runs/*")
    done = run("report", f"run={key}")
    assert done.code == 2
    assert f"run {key} is failed" in done.err
    assert "log.txt" in done.err
    (home / "outputs" / "runs" / key / "result.json").unlink()
    done = run("report", f"run={key}")
    assert done.code == 2
    assert "has no result" in done.err


def test_a_sweep_of_failures_says_so(run: Run, trained: Trained) -> None:
    home = trained("failed", *WITH_ALL, *SPLIT, *FAILING)
    done = run("report")
    assert done.code == 0, done.err
    text = page(home)
    assert headings(text) == ["Verdict", "Without a result"]
    assert "None of 1 candidate has a result." in said(text)
    assert "<script>" not in text


def test_what_is_gone_is_said_in_its_place(run: Run, swept: Path) -> None:
    key = runs(swept)[0]
    folder = swept / "outputs" / "runs" / key
    (folder / "scores.npz").unlink()
    (folder / "table_report.json").unlink()
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("payments.csv", "gone.csv"))
    done = run("report", f"run={key}")
    assert done.code == 0, done.err
    text = page(swept)
    assert headings(text) == list(SECTIONS)
    assert text.count('class="missing"') == 6
    shown = said(text)
    assert "the scored rows of the run are not there any more" in shown
    assert "the data cannot be read again" in shown
    assert "the report of the table is not there any more" in shown
    assert "On test it ranks with an average precision of" in shown


def test_data_that_changed_are_not_asked(run: Run, swept: Path) -> None:
    key = runs(swept)[0]
    manifest = swept / "outputs" / "runs" / key / "manifest.json"
    changed = re.sub(r'("data_fingerprint": ")(\w{8})', r"\g<1>00000000", manifest.read_text())
    manifest.write_text(changed)
    assert run("report", f"run={key}").code == 0
    assert page(swept).count("the data have changed since the run") == 2


def test_a_bundle_that_was_not_kept_says_how_to_have_it_again(run: Run, swept: Path) -> None:
    key = runs(swept)[0]
    shutil.rmtree(swept / "bundles")
    assert run("report", f"run={key}").code == 0
    shown = said(page(swept))
    assert "the bundle of the run was not kept" in shown
    assert f"python -m fraudlab.promote run={key}" in shown
    assert "population stability index" in shown


def test_a_damaged_bundle_is_no_reason_to_fail(run: Run, swept: Path) -> None:
    for model in swept.glob("bundles/*/model.onnx"):
        model.write_bytes(b"no graph")
    assert run("report", f"run={runs(swept)[0]}").code == 0
    assert "is damaged" in said(page(swept))


def test_a_table_with_nothing_but_inputs(run: Run, trained: Trained) -> None:
    bare = ("data.label=is_fraud", "split=stratified", "model=logreg", "tracking=disabled")
    home = trained("bare", *bare)
    assert run("report").code == 0
    shown = said(page(home))
    assert "alerts a day" not in shown
    assert "Costs need amounts" in shown
    assert "is the only one with a result" in shown


def test_thresholds_by_amount_are_explored_by_the_cost_of_an_alert(
    run: Run, trained: Trained
) -> None:
    words = ("model=logreg", "threshold_strategy=amount_cost", "bootstrap.resamples=0")
    home = trained("amounts", *WITH_ALL, *SPLIT, *words)
    assert run("report").code == 0
    shown = said(page(home))
    assert "With each row's threshold at 5 / amount" in shown
    assert "Each row has its own threshold" in shown
    assert "back to the shipped 5" in shown
    assert "how sure that is was not measured" in shown


def test_several_folds_say_what_is_drawn(run: Run, trained: Trained) -> None:
    folds = ("split=kfold", "split.params.n_splits=3", "model=logreg", "tracking=disabled")
    home = trained("folds", *WITH_ALL, *folds)
    assert run("report").code == 0
    shown = said(page(home))
    assert "means over 3 folds" in shown
    assert "Mean of 3 folds at each recall." in shown
    assert "The numbers are those of the shipped fold." in shown
    assert "rows of validation again" in shown
