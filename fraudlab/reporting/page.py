"""The page: a template, its style and its script in one file that asks nothing of the network."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from markupsafe import Markup, escape

from fraudlab.naming import name_of
from fraudlab.ranking import best_of
from fraudlab.reporting import dotplots, figures, tables, words
from fraudlab.reporting.advice import advise
from fraudlab.reporting.exploring import Explorer
from fraudlab.reporting.findings import NO_SCORES, Findings
from fraudlab.reporting.gathering import SweepFacts
from fraudlab.reporting.standing import judge_sweep, metric_of
from fraudlab.reporting.verdict import judge
from fraudlab.runs import now


def render_run(found: Findings) -> str:
    """Return the page of a run."""
    title = f"{found.facts.name}: report of run {found.facts.record.run}"
    return _render(title=title, run=_run(found, found.facts.name), sweep=None)


def render_sweep(facts: SweepFacts, found: Findings | None) -> str:
    """Return the page of a sweep, with the report of its best run where there is one."""
    best = best_of(facts.rows)
    run = None
    if found is not None and best is not None:
        run = _run(found, name_of(best, facts.names))
    sweep = {
        "id": facts.record.sweep,
        "started": facts.record.started,
        "count": facts.asked,
        "verdict": judge_sweep(facts),
        "board": tables.board(facts),
        "failures": tables.failures(facts),
        "metric": metric_of(facts),
        "forest": dotplots.forest(facts),
        "unshown": dotplots.candidates_left_out(facts),
    }
    return _render(title=f"Report of sweep {facts.record.sweep}", run=run, sweep=sweep)


def _render(**content: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("fraudlab.reporting", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "share": words.share,
        "number": words.number,
        "plain": _plain_text,
        "breakable": _breakable,
    }
    script = _own("explorer.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html").render(
        style=Markup(_own("style.css")),  # noqa: S704 (a file of ours)
        script=Markup(script),  # noqa: S704
        script_digest=digest,
        written=now(),
        no_scores=NO_SCORES,
        **content,
    )


def _plain_text(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else words.number(value)


def _breakable(name: str) -> Markup:
    """Return a name that may be broken after its underscores and dots."""
    broken = escape(name).replace("_", Markup("_<wbr>")).replace(".", Markup(".<wbr>"))
    return Markup(broken)  # noqa: S704 (escaped above)


def _own(name: str) -> str:
    return (files("fraudlab.reporting") / "page" / name).read_text(encoding="utf-8")


def _run(found: Findings, name: str) -> dict[str, Any]:
    facts = found.facts
    return {
        "name": name,
        "facts": facts,
        "verdict": judge(found),
        "advice": advise(found),
        "metrics": tables.metric_rows(facts, main=True),
        "more_metrics": tables.metric_rows(facts, main=False),
        "explorer": None if found.explorer is None else _explorer(found.explorer),
        "charts": _charts(found),
        "reliability": found.reliability,
        "importance": found.importance,
        "importance_rows": dotplots.importance(found),
        "moved": found.moved,
        "moved_rows": dotplots.moved(found),
        "moved_unshown": dotplots.columns_left_out(found),
        "choices": tables.choices(facts),
        "origin": tables.origin(facts),
    }


def _charts(found: Findings) -> dict[str, Markup | None]:
    cut = found.facts.manifest.threshold
    curves, explorer = found.curves, found.explorer
    threshold = cut.value if cut.alert_cost is None else None
    return {
        "pr": figures.precision_recall(curves) if curves else None,
        "roc": figures.receiver(curves) if curves else None,
        "calibration": figures.calibration(found.reliability) if found.reliability else None,
        "scores": figures.histogram(found.histogram, threshold) if found.histogram else None,
        "cost": figures.cost_curve(explorer) if explorer else None,
    }


def _explorer(explorer: Explorer) -> dict[str, Any]:
    """Return what the page's script needs, and what it shows before the script runs."""
    parts = {
        name: {
            "rows": part.rows,
            "frauds": part.frauds,
            "days": part.days,
            "tp": part.tp.tolist(),
            "fp": part.fp.tolist(),
            "caught": None if part.caught is None else part.caught.tolist(),
            "at_stake": part.at_stake,
            "cost": _plain(explorer.costs_of(name)),
            "baseline": explorer.baseline_of(name),
        }
        for name, part in explorer.parts.items()
    }
    data = {"knob": explorer.knob, "values": explorer.values.tolist(), "chosen": explorer.chosen}
    return {
        "data": data | {"parts": parts},
        "knob": explorer.knob,
        "last": len(explorer.values) - 1,
        "chosen": explorer.chosen,
        "value": words.cut_text(float(explorer.values[explorer.chosen])),
        "exact": repr(float(explorer.values[explorer.chosen])),
        "interval": explorer.interval if explorer.knob == "threshold" else None,
        "days": all(part.days is not None for part in explorer.parts.values()),
        "amounts": all(part.caught is not None for part in explorer.parts.values()),
        "costs": all(explorer.costs_of(name) is not None for name in explorer.parts),
        "shown": {name: explorer.value_of(name, explorer.chosen) for name in explorer.parts},
        "savings": bool(figures.savings(explorer)),
    }


def _plain(values: Any) -> list[float] | None:
    return None if values is None else [float(value) for value in values]
