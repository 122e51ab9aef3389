"""What the tests of the report stand on: homes with trained runs, each made once."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tests.conftest import run_process

MakeOnce = Callable[[str, Callable[[Path], None]], Path]
HOSTILE = "<script>alert(1)</script>"
WITH_ALL = (
    "data.label=is_fraud",
    "data.time=when",
    "data.amount=amount",
    "data.entities=[card]",
)


def write_payments(path: Path, rows: int = 3000, days: int = 50) -> None:
    """Write payments with time, card and amount, and a column of a hostile name."""
    draw = random.Random(1)
    lines = [f'when,card,amount,hour,shop,"{HOSTILE}",is_fraud']
    for row in range(rows):
        second = 1_514_764_800 + row * days * 86_400 // rows
        fraud = draw.random() < 0.08
        amount = abs(draw.gauss(120 if fraud else 40, 30))
        shop = draw.choice(["a", "b", "<b>"] if fraud else ["a", "b", "c"])
        lines.append(
            f"{second},{draw.randrange(150)},{amount:.2f},{draw.randrange(24)},{shop},"
            f"{draw.gauss(2 if fraud else 0, 1):.4f},{int(fraud)}"
        )
    path.write_text("\n".join(lines) + "\n")


def train_once(make_once: MakeOnce, name: str, *words: str) -> Path:
    """Return the home in which payments were trained on, with these words."""

    def fill(folder: Path) -> None:
        write_payments(folder / "payments.csv")
        data = ["data=table", f"data.path={folder / 'payments.csv'}", "data.drop=[]"]
        done = run_process(
            "fraudlab.train",
            *data,
            *words,
            cwd=folder,
            FRAUDLAB_HOME=str(folder),
            FRAUDLAB_THREADS="1",
        )
        assert done.code in {0, 1}, done.err

    return make_once(f"report-{name}", fill)


def only(home: Path, pattern: str) -> str:
    """Return the name of the one folder that matches."""
    (found,) = home.glob(pattern)
    return found.name
