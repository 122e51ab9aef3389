"""The verdict on a sweep, in sentences: what won, by how much, and whether that is sure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fraudlab import registry
from fraudlab.naming import name_of
from fraudlab.ranking import SAME_ROWS, Row, best_of, simplest_of
from fraudlab.reporting.gathering import SweepFacts
from fraudlab.reporting.words import Statement, between, count, listed, number, seeds_counted, span
from fraudlab.runs import Status

WAITING: tuple[Status, ...] = ("pending", "running")
BROKEN: tuple[Status, ...] = ("failed", "timeout", "killed")

AGAIN = "What is called test are the rows of validation again (split=kfold): no final verdict."


def metric_of(facts: SweepFacts) -> str:
    """Return the metric by which the sweep is ranked."""
    selection = registry.build("selection", facts.record.candidates[0].config.selection)
    found: str = selection.metric
    return found


def judge_sweep(facts: SweepFacts) -> list[Statement]:
    """Return what is to be said of a sweep, the most important first."""
    best = best_of(facts.rows)
    done = facts.finished
    said: list[Statement] = []
    if best is not None:
        said = [*_winner(facts, best, done), *_comparison(facts, best, done)]
        said += [*_simplest(facts, best), *_on_test(facts, best)]
    elif done:
        reasons = listed(sorted({reason for row in done for reason in row.unmet}))
        said.append(Statement("bad", f"No candidate may win: {reasons}."))
    else:
        said.append(Statement("bad", f"None of {count(facts.asked, 'candidate')} has a result."))
    return [*said, *_others(facts, done)]


def _winner(facts: SweepFacts, best: Row, done: Sequence[Row]) -> Iterator[Statement]:
    metric = metric_of(facts)
    text = f"{metric} {_measured(best, 'validation', metric)} on validation"
    if len(done) == 1:
        yield Statement(
            "note", f"{name_of(best, facts.names)} is the only one with a result: {text}."
        )
    else:
        of = f"of {count(len(done), 'candidate')}"
        yield Statement("good", f"{name_of(best, facts.names)} won {of}: {text}.")
    if best.seeds is not None:
        yield Statement(
            "note",
            f"Its run of seed {best.seed} ships, the nearest the median: the best seed is a lucky"
            " draw. The report of that run follows.",
        )


def _measured(row: Row, part: str, metric: str) -> str:
    """Return a candidate's metric and how sure it is: about rows, or about the seeds it is of."""
    value = getattr(row.means, part).get(metric)
    if value is None:
        return "not measured"
    if row.seeds is None:
        return f"{number(value)}{between(getattr(row.intervals, part).get(metric))}"
    sure = getattr(row.seeds.intervals, part).get(metric)
    told = "" if sure is None else f", with other seeds {span(sure)}"
    return f"{number(value)} (mean of {seeds_counted(row.seeds)}{told})"


def _comparison(facts: SweepFacts, best: Row, done: Sequence[Row]) -> Iterator[Statement]:
    """Yield whether the best is better beyond chance than each of the others that may win."""
    others = [row for row in done if row is not best and row.comparison is not None]
    if not others:
        return
    near, apart, unknown = (
        [row for row in others if row.comparison and row.comparison.distinguishable is wanted]
        for wanted in (False, True, None)
    )
    if near:
        names = listed([name_of(row, facts.names) for row in near])
        yield Statement(
            "note",
            f"It cannot be told from {names}: the paired 95 % interval of the difference holds 0."
            " Choose among these by other things than this number.",
        )
    if apart:
        whom = "every other" if len(apart) == len(others) else count(len(apart), "other")
        yield Statement("good", f"It is better than {whom} beyond what chance explains.")
    if unknown:
        yield Statement(
            "note",
            f"{count(len(unknown), 'other')} {'was' if len(unknown) == 1 else 'were'} not compared"
            " with it: no bootstrap on the same rows.",
        )


def _simplest(facts: SweepFacts, best: Row) -> Iterator[Statement]:
    simplest = simplest_of(facts.rows)
    if simplest is None or simplest is best or simplest.size is None or best.size is None:
        return
    yield Statement(
        "note",
        f"The simplest within one standard error of it is {name_of(simplest, facts.names)}: a graph"
        f" of {simplest.size:,} bytes against {best.size:,} (run {simplest.run}).",
    )


def _on_test(facts: SweepFacts, best: Row) -> Iterator[Statement]:
    metric = metric_of(facts)
    if best.choices["split"] == SAME_ROWS:
        yield Statement("note", AGAIN)
    elif metric in best.means.test:
        value = _measured(best, "test", metric)
        yield Statement("note", f"On test, measured last and ranking nothing, it has {value}.")


def _others(facts: SweepFacts, done: Sequence[Row]) -> Iterator[Statement]:
    barred = [row for row in done if row.unmet]
    if barred and best_of(facts.rows) is not None:
        yield Statement(
            "note", f"{count(len(barred), 'candidate')} may not win (see the leaderboard)."
        )
    waiting = [row for row in facts.rows if row.status in WAITING]
    if waiting:
        yield Statement(
            "bad",
            f"{count(len(waiting), facts.run_word)} without a result yet: this verdict is"
            " provisional. The same command goes on.",
        )
    broken = [row for row in facts.rows if row.status in BROKEN]
    if broken:
        yield Statement("bad", f"{count(len(broken), facts.run_word)} failed (reasons below).")
    apart = [row for row in facts.rows if row.status == "not_applicable"]
    if apart:
        yield Statement("note", f"{count(len(apart), 'pair')} of choices did not apply.")
    results = [row.reused for row in facts.rows if row.status == "done"]
    if any(results):
        few = f"{sum(results):,} of {len(results):,} results"
        which = "All results" if all(results) else few
        yield Statement(
            "note", f"{which} were reused from before: same configuration, data and code."
        )
