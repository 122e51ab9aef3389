"""What holds for every plugin of every group, and for every YAML."""

from __future__ import annotations

import inspect
import re
import shlex
from typing import Any, get_args, get_type_hints

import pytest
import yaml

from fraudlab import registry
from fraudlab.composition import Composer, conf_folder
from fraudlab.config import FLAT_GROUPS, GROUPS, Tracking
from fraudlab.limits import LauncherSettings
from fraudlab.tune import Tune
from tests.conftest import run_process

PLUGINS = [(group, name) for group in GROUPS for name in registry.names(group)]
FILES = sorted(str(file.relative_to(conf_folder())) for file in conf_folder().rglob("*.yaml"))
REUSING = re.compile(r"^defaults:\n(  - \w+\n)+", re.MULTILINE)  # an option built on another one


def content_of(file: str) -> dict[str, Any]:
    content = yaml.safe_load((conf_folder() / file).read_text())
    return {key: value for key, value in content.items() if key != "defaults"}


def params_of(group: str, content: dict[str, Any]) -> dict[str, Any]:
    if group in FLAT_GROUPS:
        return {key: value for key, value in content.items() if key != "name"}
    return content["params"]


def documented(text: str) -> set[str]:
    """Return the names of a NumPy docstring's Parameters section."""
    section = re.search(r"^Parameters\n-+\n(.*?)(\n\n\w+\n-+\n|\Z)", text, re.DOTALL | re.MULTILINE)
    lines = section[1].splitlines() if section else []
    heads = [line for line in lines if line and not line.startswith(" ")]
    return {name.strip() for head in heads for name in head.split(",")}


@pytest.mark.parametrize(("group", "name"), PLUGINS)
def test_the_yaml_lists_every_parameter_with_its_default(group, name):
    content = content_of(f"{group}/{name}.yaml")
    assert content["name"] == name
    listed = params_of(group, content)
    taken = registry.signature(group, name)
    assert set(listed) == {parameter.name for parameter, _ in taken}
    for parameter, _ in taken:
        value = listed[parameter.name]
        if value == "${seed}":
            assert parameter.name == "random_state"
            assert parameter.default == 42
        elif not str(value).startswith("${oc.select:"):
            default = parameter.default
            default = list(default) if isinstance(default, tuple) else default
            assert (type(value), value) == (type(default), default), parameter.name


@pytest.mark.parametrize(("group", "name"), PLUGINS)
def test_the_docstring_says_what_it_is_and_every_parameter(group, name):
    text = inspect.getdoc(registry.get(group, name)) or ""
    summary = text.partition("\n")[0]
    assert 10 <= len(summary) <= 100
    assert summary.endswith((".", ":"))
    names = {parameter.name for parameter, _ in registry.signature(group, name)}
    assert documented(text) == names


@pytest.mark.parametrize(("group", "name"), PLUGINS)
def test_every_parameter_has_a_type_and_a_default(group, name):
    for parameter, hint in registry.signature(group, name):
        assert hint is not Any, parameter.name
        assert parameter.default is not inspect.Parameter.empty, parameter.name


def test_naming_and_checking_all_plugins_imports_no_heavy_library(tmp_path):
    (tmp_path / "check_all.py").write_text(
        "import sys\n"
        "from fraudlab import registry\n"
        "from fraudlab.config import GROUPS, Choice\n"
        "for group in GROUPS:\n"
        "    for name in registry.names(group):\n"
        "        registry.check(group, Choice(name))\n"
        "heavy = ['sklearn', 'imblearn', 'xgboost', 'lightgbm', 'mlflow', 'pandas', 'scipy']\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = run_process("check_all", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "[]\n", "")


@pytest.mark.parametrize("file", FILES)
def test_the_first_comment_is_a_command_that_composes(file):
    lines = (conf_folder() / file).read_text().splitlines()
    first = lines[1] if lines[0] == "# @package _global_" else lines[0]
    group, _, stem = file.removesuffix(".yaml").partition("/")
    name = "tune" if group == "hparams_search" else "train"
    command = re.fullmatch(rf"# (?:\w+=\S+ )?python -m fraudlab\.{name} (.+)", first)
    assert command, first
    words = shlex.split(command[1])
    assert not stem or f"{group}={stem}" in words
    if name == "tune":  # its own keys are no part of a candidate
        words = [word for word in words if word.partition("=")[0] not in Tune.__struct_fields__]
    flags = [word for word in words if word == "-m"]
    words = [word for word in words if word != "-m"]
    assert Composer().plan(words, multirun=bool(flags)).candidates


@pytest.mark.parametrize("file", FILES)
def test_a_yaml_names_plugins_and_no_importable_object(file):
    assert "_target_" not in (conf_folder() / file).read_text()


@pytest.mark.parametrize("file", [file for file in FILES if file.split("/")[0] in GROUPS])
def test_an_option_is_a_plugin_of_its_own_name_or_says_which_it_reuses(file):
    group, _, stem = file.removesuffix(".yaml").rpartition("/")
    text = (conf_folder() / file).read_text()
    if REUSING.search(text):
        assert stem not in registry.names(group)
    else:
        assert content_of(file)["name"] in registry.names(group)


OWN_DEFAULTS = {"submitit": {"timeout", "memory"}}  # without them Slurm would take its own


def test_tracking_and_launcher_list_every_key_with_its_default():
    for group, shape in (("tracking", Tracking), ("launcher", LauncherSettings)):
        options, keys = Composer().options(group), set[str]()
        assert sorted(get_args(get_type_hints(shape)["name"])) == options
        for stem in options:
            content = content_of(f"{group}/{stem}.yaml")
            listed = [key for key in shape.__struct_fields__ if key in content]
            assert list(content) == listed
            assert content["name"] == stem
            keys |= content.keys()
            plain = {key: value for key, value in content.items() if "${" not in str(value)}
            defaults = shape()
            own = OWN_DEFAULTS.get(stem, set()) | {"name"}
            assert all(getattr(defaults, key) == plain[key] for key in set(plain) - own)
        assert keys == set(shape.__struct_fields__)
