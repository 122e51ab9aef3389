"""The model card that travels with a bundle, in Markdown."""

from __future__ import annotations

from fraudlab.manifest import Field, Manifest
from fraudlab.table import TableReport

SHOWN = (
    "average_precision",
    "roc_auc",
    "card_precision_at_100",
    "card_precision_at_100_ceiling",
    "card_recall_at_100",
    "precision",
    "recall",
    "f1",
    "fpr",
    "mcc",
    "alerts_per_day",
    "value_detection_rate",
    "cost",
    "savings",
    "brier",
    "ece",
    "mean_score",
    "prevalence",
)


def write_card(manifest: Manifest, report: TableReport) -> str:
    """Return card.md for a bundle made from the table of `report`."""
    config = manifest.provenance["config"]
    parts = [
        f"# {manifest.id}",
        f"A {config['model']['name']} detector of fraud, trained {manifest.created}."
        " It scores one transaction at a time; a score at or above the threshold is an alert.",
        "## Data",
        f"{report.source}: {report.rows:,} rows, {report.frauds:,} frauds"
        f" ({report.fraud_rate:.4%}), {report.duplicate_rows:,} exact duplicates,"
        f" fingerprint `{report.fingerprint[:12]}`.",
        "## How it was made",
        _recipe(config),
        "## Threshold",
        _threshold(manifest),
        "## Results",
        _results(manifest),
        "## Request",
        _fields(manifest.features),
        "## Limits",
        "The numbers above hold for rows like those of the table, in the weeks that followed its"
        " training window. Fraud changes: watch the alert rate and the drift of the scores, and"
        " train again. A score is not proof; an alert is a reason to look.",
    ]
    return "\n\n".join(parts) + "\n"


def _recipe(config: dict[str, object]) -> str:
    rows = []
    for group, choice in config.items():
        if isinstance(choice, dict) and "params" in choice:
            params = ", ".join(f"{key}={value}" for key, value in choice["params"].items())
            rows.append(f"| {group} | {choice['name']} | {params} |")
    return "\n".join(["| part | choice | parameters |", "|---|---|---|", *rows])


def _threshold(manifest: Manifest) -> str:
    cut = manifest.threshold
    text = f"{cut.value:.6g}{_interval(cut.interval)}, chosen by {cut.strategy} on {cut.slice}."
    if cut.alert_cost is not None:
        text = f"Per row: min(1, {cut.alert_cost:g} / amount), chosen by {cut.strategy}."
    reached = ", ".join(f"{name} {value:.4g}" for name, value in cut.reached.items())
    asked = "" if cut.feasible else " **What was asked could not be reached.**"
    return f"{text} There it reached {reached}.{asked}" if reached else text + asked


def _results(manifest: Manifest) -> str:
    found, known = manifest.metrics, manifest.intervals
    rows = [
        f"| {name} | {_number(found.validation.get(name), known.validation.get(name))}"
        f" | {_number(found.test.get(name), known.test.get(name))} |"
        for name in SHOWN
        if name in found.test
    ]
    note = "In brackets 95 % intervals, by bootstrap.\n\n" if known.test else ""
    return note + "\n".join(["| metric | validation | test |", "|---|---|---|", *rows])


def _number(value: float | None, interval: tuple[float, float] | None) -> str:
    return "" if value is None else f"{value:.4g}{_interval(interval)}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" [{interval[0]:.4g}, {interval[1]:.4g}]"


def _fields(fields: tuple[Field, ...]) -> str:
    rows = [
        f"| {field.name} | {field.kind} | {field.role} | {_bounds(field)} |"
        f" {'yes' if field.nullable else 'no'} |"
        for field in fields
    ]
    head = ["| field | kind | role | allowed | may be null |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def _bounds(field: Field) -> str:
    if field.kind != "number" or (field.min is None and field.max is None):
        return "any"
    low = "" if field.min is None else f"{field.min:g}"
    high = "" if field.max is None else f"{field.max:g}"
    return f"{low} … {high}"
