"""An outside package of models that behave badly, as a team could have one installed."""

from __future__ import annotations

from pathlib import Path

CODE = '''\
"""Models that never come to an end, or to a bad one."""

import os
import signal
import time

import numpy as np

from fraudlab.registry import register


class Misbehaving:
    def __init__(self, how):
        self.how = how

    def fit(self, X, y, sample_weight):
        print("about to", self.how.__name__, flush=True)
        self.how()

    def score(self, X):
        raise NotImplementedError

    def to_onnx(self):
        raise NotImplementedError


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def eat():
    eaten = []
    while True:
        eaten.append(np.ones(4_000_000))


def sleep():
    time.sleep(300)


@register("model", "crashing")
def crashing():
    """Crash."""
    return Misbehaving(crash)


@register("model", "dying")
def dying():
    """Be killed."""
    return Misbehaving(die)


@register("model", "hungry")
def hungry():
    """Allocate without end."""
    return Misbehaving(eat)


@register("model", "sleepy")
def sleepy():
    """Take very long."""
    return Misbehaving(sleep)
'''
MODELS = ("crashing", "dying", "hungry", "sleepy")


def write_misbehaving(folder: Path) -> Path:
    """Write the package and what pip would write for it; return what PYTHONPATH needs."""
    (folder / "misbehaving.py").write_text(CODE)
    conf = folder / "misbehaving_conf"
    (conf / "model").mkdir(parents=True)
    (conf / "__init__.py").touch()
    for name in MODELS:
        text = f"# python -m fraudlab.train model={name}\nname: {name}\nparams: {{}}\n"
        (conf / "model" / f"{name}.yaml").write_text(text)
    info = folder / "misbehaving-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: misbehaving\nVersion: 1.0\n")
    points = "".join(f"{name} = misbehaving:{name}\n" for name in MODELS)
    conf_point = "[fraudlab.conf]\nmisbehaving = misbehaving_conf\n"
    (info / "entry_points.txt").write_text(f"[fraudlab.model]\n{points}\n{conf_point}")
    return folder
