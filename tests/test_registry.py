"""Plugins of other packages, found by their entry points."""

from __future__ import annotations

from pathlib import Path

import pytest

from fraudlab import registry
from fraudlab.config import Choice
from fraudlab.errors import ConfigError, PluginError
from tests.conftest import Done, run_process

SAMPLER = """
from typing import Annotated
from msgspec import Meta
from fraudlab.protocols import Resampled
from fraudlab.registry import register

@register("sampler", "keep_all", excludes={"calibration": ["isotonic"]})
def keep_all(*, share: Annotated[float, Meta(gt=0, le=1)] = 1.0):
    \"\"\"Keep all rows.\"\"\"
    return KeepAll()

class KeepAll:
    def resample(self, X, y):
        return Resampled(X, y)

def plain(*, share: float = 1.0):
    \"\"\"Say nothing of registers.\"\"\"
    return KeepAll()

def positional(share: float = 1.0):
    \"\"\"Break the contract.\"\"\"
"""


class Package:
    """A package installed beside fraudlab: a module, its metadata, its YAML."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site"
        self.conf = folder / "mine"
        self.home = folder
        (self.conf / "sampler").mkdir(parents=True)
        self.install("odd-samplers", "odd_samplers", SAMPLER)

    def install(self, name: str, module: str, code: str, points: str = "") -> None:
        (self.site / module).mkdir(parents=True)
        (self.site / module / "__init__.py").write_text(code)
        self.enter(name, points)

    def enter(self, name: str, points: str) -> None:
        info = self.site / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)

    def option(self, stem: str, content: str) -> None:
        (self.conf / "sampler" / f"{stem}.yaml").write_text(content)

    def run(self, module: str, *words: str) -> Done:
        root = Path(registry.__file__).parents[1]
        return run_process(
            f"fraudlab.{module}", *words, cwd=self.home, PYTHONPATH=f"{root}:{self.site}"
        )


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path)


def test_a_plugin_of_another_package_is_listed_checked_and_trained_with(package, small_table):
    package.enter("odd-samplers", "[fraudlab.sampler]\nkeep_all = odd_samplers:keep_all\n")
    package.option("keep_all", "name: keep_all\nparams:\n  share: 1.0\n")
    told = package.run("plugins", "sampler").out
    assert "keep_all: Keep all rows." in told
    assert "of odd-samplers" in told
    assert "sampler.params.share=1.0  (float in (0, 1])" in told
    words = ["--config-dir", "mine", "sampler=keep_all"]
    wrong = package.run("validate", *words, "sampler.params.share=2")
    assert (wrong.code, "sampler.params.share must be float in (0, 1], got 2" in wrong.err) == (
        2,
        True,
    )
    excluded = package.run("validate", *words, "calibration=isotonic")
    assert excluded.code == 2
    assert "sampler=keep_all has no meaning with calibration=isotonic" in excluded.err
    done = package.run("train", *words, "model=tree", *small_table)
    assert done.code == 0, done.err


def test_a_function_without_a_decorator_is_a_plugin_by_its_entry_point(package):
    package.enter("odd-samplers", "[fraudlab.sampler]\nplain = odd_samplers:plain\n")
    package.option("plain", "name: plain\nparams: {}\n")
    done = package.run("validate", "--config-dir=mine", "sampler=plain")
    assert (done.code, done.err) == (0, "")


def test_a_package_may_bring_its_yaml(package):
    points = (
        "[fraudlab.sampler]\nplain = odd_samplers:plain\n[fraudlab.conf]\nc = odd_samplers.conf\n"
    )
    package.enter("odd-samplers", points)
    folder = package.site / "odd_samplers" / "conf" / "sampler"
    folder.mkdir(parents=True)
    (folder / "brought.yaml").write_text("name: plain\nparams: {share: 0.5}\n")
    done = package.run("train", "--cfg", "sampler=brought")
    assert "share: 0.5" in done.out
    assert "brought" in package.run("train", "--help").out


@pytest.mark.parametrize(
    "points",
    [
        "[fraudlab.sampler]\nsmote = odd_samplers:keep_all\n",
        "[fraudlab.sampler]\nkeep_all = odd_samplers:keep_all\n",
    ],
)
def test_a_name_taken_twice_is_refused(package, points):
    package.enter("odd-samplers", points)
    package.install("other", "other", SAMPLER, "[fraudlab.sampler]\nkeep_all = other:keep_all\n")
    done = package.run("validate", "sampler=smote")
    assert done.code == 1
    assert "registered twice" in done.err
    assert "rename one" in done.err
    assert "Traceback" not in done.err


def test_a_broken_plugin_stops_only_who_needs_it(package):
    package.install("broken", "broken", "import a_library_nobody_has\n")
    package.enter("broken", "[fraudlab.sampler]\nbroken = broken:sampler\n")
    package.option("broken", "name: broken\nparams: {}\n")
    assert package.run("validate", "sampler=smote").code == 0
    done = package.run("validate", "--config-dir", "mine", "sampler=broken")
    assert done.code == 1
    assert "No module named 'a_library_nobody_has'" in done.err
    assert "pip install 'broken'" in done.err
    assert "Traceback" not in done.err
    told = package.run("plugins", "sampler")
    assert told.code == 0
    assert "broken: BROKEN" in told.out
    assert "smote: " in told.out


@pytest.mark.parametrize("target", ["odd_samplers:gone", "odd_samplers:positional"])
def test_a_plugin_that_breaks_the_contract_says_so(package, target):
    package.enter("odd-samplers", f"[fraudlab.sampler]\nodd = {target}\n")
    package.option("odd", "name: odd\nparams: {}\n")
    done = package.run("validate", "--config-dir", "mine", "sampler=odd")
    assert done.code == 1
    assert done.err.startswith("error: sampler 'odd'")
    assert done.err.count("\n") == 1


def test_a_library_that_is_missing_is_named_with_the_command_that_installs_it(home):
    (home / "train_without.py").write_text(
        "import sys\nsys.modules['lightgbm'] = None\n"
        "from fraudlab import registry\nfrom fraudlab.config import Choice\n"
        "registry.check('model', Choice('lgbm'))\nregistry.build('model', Choice('logreg'))\n"
        "try:\n    registry.build('model', Choice('lgbm'))\n"
        "except registry.PluginError as error:\n    print(error)\n"
    )
    told = run_process("train_without", cwd=home).out
    assert told.startswith("model 'lgbm' cannot be loaded: ModuleNotFoundError")
    assert "pip install 'fraudlab[train]'" in told


def test_a_group_or_a_name_that_is_not_there_is_refused():
    with pytest.raises(PluginError, match="no plugin group 'modle'"):
        registry.register("modle", "x")
    with pytest.raises(ConfigError, match="no model plugin 'xgbb'; did you mean 'xgb'"):
        registry.get("model", "xgbb")


def test_two_functions_of_one_name_are_refused():
    def xgb(*, max_depth: int = 3) -> None: ...

    registry.get("model", "xgb")
    with pytest.raises(PluginError, match=r"model 'xgb' is registered twice: .* rename one"):
        registry.register("model", "xgb")(xgb)


def test_parameters_are_completed_and_converted():
    params = registry.check("features", Choice("rfm", {"windows_days": [1, 2]}))
    assert list(params["windows_days"]) == [1, 2]
    assert params["delay_days"] == 7
