"""A package with models that kill their process or eat its memory, installed into a folder."""

from __future__ import annotations

from pathlib import Path

NAME = "misbehaving"
CHUNK, ENOUGH = 32 << 20, 6 << 30  # bytes: what is taken at a time, and where a cap has failed
CODE = f'''"""Models that no sweep should die of."""

import os
import signal

import numpy as np

from fraudlab.registry import build, register
from fraudlab.config import Choice


class Crashing:
    def fit(self, X, y, sample_weight=None):
        os.kill(os.getpid(), signal.SIGSEGV)


class Hungry:
    """Takes all memory; were there no cap it would stop, and be a model like any other."""

    def __init__(self):
        self.model = build("model", Choice("logreg"))
        self.score, self.to_onnx = self.model.score, self.model.to_onnx

    def fit(self, X, y, sample_weight=None):
        taken = []
        while len(taken) * {CHUNK} < {ENOUGH}:
            taken.append(np.ones({CHUNK} // 8))
        del taken
        self.model.fit(X, y, sample_weight)


@register("model", "crashing")
def crashing():
    """End the process by a segmentation fault."""
    return Crashing()


@register("model", "hungry")
def hungry():
    """Take memory without end."""
    return Hungry()
'''
POINTS = f"""\
[fraudlab.model]
crashing = {NAME}:crashing
hungry = {NAME}:hungry
[fraudlab.conf]
{NAME} = {NAME}.conf
"""


def install(site: Path, well_behaved: int) -> list[str]:
    """Write the package to `site`; return its options of the group model, these two in the middle.

    Parameters
    ----------
    site
        A folder that stands in PYTHONPATH.
    well_behaved
        How many options there are besides: logistic regressions of rising penalty.
    """
    models = site / NAME / "conf" / "model"
    models.mkdir(parents=True)
    (site / NAME / "__init__.py").write_text(CODE)
    info = site / f"{NAME}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    calm = [f"calm_{number}" for number in range(1, well_behaved + 1)]
    for number, option in enumerate(calm, 1):
        content = f"name: logreg\nparams:\n  C: {1 / number:.6f}\n"
        (models / f"{option}.yaml").write_text(content)
    for name in ("crashing", "hungry"):
        (models / f"{name}.yaml").write_text(f"name: {name}\nparams: {{}}\n")
    half = len(calm) // 2
    return [*calm[:half], "crashing", "hungry", *calm[half:]]
