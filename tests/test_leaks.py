"""A column that knows the label is named; one that is merely good is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Run
from tests.sweeps import board


def write(path: Path, extra: dict[str, np.ndarray], label: np.ndarray) -> list[str]:
    columns = {**extra, "fraud": label}
    lines = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text(",".join(columns) + "\n" + "\n".join(lines) + "\n")
    return ["data=table", f"data.path={path}", "data.label=fraud", "tracking=disabled"]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_copy_of_the_label_is_warned_of_by_name(home: Path, run: Run, sign: int) -> None:
    draw = np.random.default_rng(0)
    label = (draw.random(600) < 0.1).astype(int)
    columns = {
        "noise": draw.normal(size=600).round(3),
        "good": (label + draw.normal(size=600)).round(3),
        "chargeback": sign * label,
    }
    done = run("train", *write(home / "t.csv", columns, label), "model=logreg")
    assert done.code == 0, done.err
    (row,) = board(run)
    assert len(row["warnings"]) == 1
    assert "'chargeback' alone" in row["warnings"][0]
    assert "chargeback" in done.err


def test_honest_columns_are_not_warned_of(home: Path, run: Run) -> None:
    draw = np.random.default_rng(0)
    label = (draw.random(600) < 0.1).astype(int)
    columns = {"good": (2 * label + draw.normal(size=600)).round(3)}
    run("train", *write(home / "t.csv", columns, label), "model=logreg")
    assert board(run)[0]["warnings"] == []
