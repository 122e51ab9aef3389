"""The bundle that is being served: loaded, proven on its golden rows, and asked for scores."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, cast

import msgspec

from fraudlab.bundle import Bundle, read_bundle
from fraudlab.errors import BundleError, FraudlabError
from fraudlab.scoring import Scorer, Value
from serve.decoding import Reader
from serve.errors import ScoreError
from serve.schemas import Prediction

SELF_TEST_TOLERANCE = 1e-12
Row = Sequence[Value]
_values = cast("Callable[[Any], Row]", msgspec.structs.astuple)


class Scored(msgspec.Struct, frozen=True, gc=False):
    """What one request asked of the bundle: for the log and the figures, without the features."""

    bundle: str
    scores: tuple[float, ...]
    frauds: int
    seconds: float


class Model:
    """A verified bundle with its scorer and its readers.

    Parameters
    ----------
    bundle
        What `read_bundle` verified.
    rows
        The most transactions a batch may hold.
    """

    def __init__(self, bundle: Bundle, rows: int) -> None:
        self.manifest = bundle.manifest
        self.id = bundle.manifest.id
        self.sha256 = bundle.sha256
        self.reader = Reader(bundle.manifest.features, rows)
        self.golden = bundle.golden()
        self._scorer: Scorer = bundle.scorer()
        self._prefix = os.urandom(8).hex()
        self._number = count(1)

    def self_test(self) -> None:
        """Replay the golden rows, each alone and all together.

        Raises
        ------
        BundleError
            If a row is no valid request or its score or decision is not the expected one.
        """
        if not self.golden:
            raise BundleError(f"bundle {self.id} has no golden rows to test itself with")
        read = self.reader.read_transaction
        rows = [read(msgspec.json.encode(row.features)) for row in self.golden]
        together, _ = self.predict(rows)
        for number, (row, expected) in enumerate(zip(rows, self.golden, strict=True), start=1):
            alone, _ = self.predict([row])
            for answer in (alone[0], together[number - 1]):
                off = abs(answer.fraud_probability - expected.score)
                if off > SELF_TEST_TOLERANCE or answer.is_fraud != expected.is_fraud:
                    raise BundleError(
                        f"bundle {self.id} fails its self-test: golden row {number} scores"
                        f" {answer.fraud_probability!r}, expected is {expected.score!r};"
                        " export the bundle again"
                    )

    def predict(self, transactions: Sequence[Any]) -> tuple[list[Prediction], Scored]:
        """Return the answers for `transactions`, in order, and the record of them."""
        started = time.perf_counter()
        rows = [_values(transaction) for transaction in transactions]
        scores = self._scorer.score_rows(rows).tolist()
        if not all(map(math.isfinite, scores)):
            raise ScoreError(f"bundle {self.id} gave a score that is not finite")
        thresholds = self._scorer.row_thresholds(rows).tolist()
        answers = list(map(self._answer, scores, thresholds))
        frauds = sum([answer.is_fraud for answer in answers])
        seconds = time.perf_counter() - started
        return answers, Scored(self.id, tuple(scores), frauds, seconds)

    def _answer(self, score: float, threshold: float) -> Prediction:
        return Prediction(
            is_fraud=score >= threshold,
            fraud_probability=score,
            risk_level=self._scorer.risk_level(score, threshold),
            threshold=threshold,
            prediction_id=f"{self._prefix}-{next(self._number):x}",
            bundle=self.id,
        )


def load_model(path: Path, rows: int) -> Model:
    """Return the bundle in folder `path`, loaded and tested.

    Raises
    ------
    BundleError
        If the bundle is missing, damaged, cannot be loaded or fails its self-test.
    """
    if path.is_symlink() and not path.exists():
        raise BundleError(
            f"{path} points at {str(path.readlink())!r}, which does not exist: promote a run with"
            " `python -m fraudlab.promote run=ID`, or train one with `make demo`"
        )
    try:
        model = Model(read_bundle(path), rows)
        model.self_test()
    except BundleError:
        raise
    except FraudlabError as error:
        raise BundleError(f"bundle {path.name} fails its self-test: {error}") from error
    except Exception as error:
        # Whatever a damaged graph or golden row raises, the service starts and says why.
        reason = f"{type(error).__name__}: {error}"[:300]
        raise BundleError(f"bundle {path.name} cannot be loaded: {reason}") from error
    if not math.isfinite(model.manifest.threshold.value):
        raise BundleError(f"bundle {model.id} has a threshold that is not a finite number")
    return model
