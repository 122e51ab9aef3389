"""What a search varies: mistakes in it are found before data is read, and say where they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudlab.composition import Composer
from fraudlab.errors import ConfigError
from fraudlab.overrides import read_word
from fraudlab.searching.dimensions import Range
from fraudlab.searching.probing import check_search, value_word
from fraudlab.searching.spaces import GROUP, Pruning, Sampling, read_space
from tests.conftest import ROOT, Run
from tests.searches import QUICK, TREE, write_space
from tests.sweeps import board
from tests.test_commands import files_in

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters="\\$"),
            min_size=1, max_size=20),
)  # fmt: skip
MISTAKES: dict[str, tuple[str, str]] = {
    "key": ("space: {model.params.max_dept: [1, 2]}", "max_dept"),
    "nearest": ("space: {model.params.max_dept: [1, 2]}", "available:"),
    "group": ("space: {modle: [xgb, rf]}", "did you mean 'model'?"),
    "option": ("space: {model: [xgb, rff]}", "did you mean 'rf'?"),
    "field": ("spaces: {model: [xgb, rf]}", "no key 'spaces'; did you mean 'space'?"),
    "range": ("space: {seed: {lo: 1, high: 2}}", "no key 'lo'; did you mean 'low'?"),
    "no high": ("space: {model.params.max_depth: {low: 1}}", "high is missing: give it a value, "),
    "no high, example": ("space: {seed: {low: 1}}", "such as {low: 2, high: 10}"),
    "infinite": ("space: {seed: {low: 1, high: .inf}}", "high must be a finite number, got inf"),
    "order": ("space: {model.params.max_depth: {low: 9, high: 2}}", "low must be less than high"),
    "log": ("space: {model.params.gamma: {low: 0.0, high: 1.0, log: true}}", "low above 0"),
    "step": ("space: {model.params.max_depth: {low: 1, high: 3, step: 5}}", "step must be"),
    "both": ("space: {model.params.max_depth: {low: 1, high: 9, step: 2, log: true}}", "log and"),
    "bound": ("space: {model.params.subsample: {low: 0.1, high: 1.5}}", "1.5"),
    "type": ("space: {model.params.max_depth: {low: 0.5, high: 2.5}}", "max_depth"),
    "number": ("space: {seed: {low: one, high: 2}}", "low must be int or float, got 'one'"),
    "scalar": ("space: {model.params.max_depth: 3}", "must be a range"),
    "single": ("space: {model: [xgb]}", "two values or more"),
    "twice": ("space: {model: [xgb, rf, xgb]}", "twice"),
    "empty": ("fixed: {model: xgb}", "varies nothing"),
    "list": ("- model", "must hold keys and values"),
    "yaml": ("space: {model: [xgb", "own.yaml:2"),
    "seed": ("space: {seed: [1, 2]}", "seed cannot vary"),
    "split": ("space: {split: [kfold, stratified]}", "split cannot vary"),
    "data": ("space: {data.path: [a, b]}", "data.path cannot vary"),
    "selection": ("space: {selection: [savings, recall_first]}", "selection cannot vary"),
    "fixed too": ("fixed: {model: rf}\nspace: {model: [xgb, rf]}", "keep one"),
    "no if": ("when: [{space: {model: [xgb, rf]}}]", "when[0].if is missing: give it a value, "),
    "no if, example": ("when: [{space: {model: [xgb, rf]}}]", "such as when: [{if: {model: xgb}"),
    "if of lists": (
        "when: [{if: {model: [[xgb]]}, space: {model: [xgb, rf]}}]", "when[0].if must be {text: ",
    ),
    "when of words": ("when: [model]", "when[0] must be {if, space}, got 'model'"),
    "if of nothing": (
        "when: [{if: {moodel: xgb}, space: {model.params.max_depth: [1, 2]}}]",
        "moodel neither varies nor is it set: give it values under space or one under fixed; did",
    ),
    "if of something else, nearest": (
        "when: [{if: {moodel: xgb}, space: {model.params.max_depth: [1, 2]}}]",
        "did you mean 'model'?",
    ),
    "if never": (
        "space: {model: [xgb, rf]}\n"
        "when: [{if: {model: tree}, space: {model.params.max_depth: [1, 2]}}]",
        "'tree' is not among the values of model: 'xgb', 'rf'",
    ),
    "inside when": (
        "space: {model: [xgb, rf]}\n"
        "when: [{if: {model: rf}, space: {model.params.gamma: {low: 0.0, high: 1.0}}}]",
        "gamma",
    ),
    "pruning": ("space: {model: [xgb, rf]}\npruning: {percentil: 3}", "did you mean 'percentile'?"),
    "sampling": ("space: {model: [xgb, rf]}\nsampling: {n_startup_trials: -1}", "sampling"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_its_file_and_what_is_allowed(mistake: str, home: Path, run: Run) -> None:
    text, said = MISTAKES[mistake]
    words = write_space(home, text + "\n")
    before = files_in(home)
    done = run("tune", *words, "data=toy", "budget=1m")
    assert (done.code, done.out) == (2, "")
    assert "own.yaml" in done.err
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert files_in(home) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["budget=1m"], "hparams_search=... is missing"),
        (["hparams_search=xgbb", "budget=1m"], "did you mean 'xgb'?"),
        (["hparams_search=xgb"], "budget=10m, trials=100, or both"),
        (["hparams_search=xgb", "budget=soon"], "budget must be seconds"),
        (["hparams_search=xgb", "budget=0"], "above 0"),
        (["hparams_search=xgb", "trials=0"], "trials must be int >= 1 or null, got '0'"),
        (["hparams_search=xgb", "trials=9", "storage=mongo://x"], "storage must be sqlite"),
        (["hparams_search=xgb", "trials=9", "study=../x", "data=toy"], "study must be letters"),
        (["hparams_search=xgb", "trials=9", "resume=never"], "study=NAME begins another"),
        (["hparams_search=xgb", "trials=9", "model=xgb,rf"], "lists 2 candidates"),
        (["hparams_search=xgb", "trials=9", "experiment=demo"], "candidates, but a search"),
        (["hparams_search=xgb", "trials=9", "model=lgbm"], "hparams_search/xgb.yaml"),
        (["hparams_search=xgb", "trials=9", "-m"], "no flag '-m'"),
        (["hparams_search=xgb", "trials=9", "trails=9"], "no group or key 'trails'"),
    ],
)
def test_a_mistake_of_the_command_line_is_explained(
    words: list[str], said: str, home: Path, run: Run
) -> None:
    done = run("tune", *words)
    assert done.code == 2
    assert said in done.err
    assert not (home / "outputs" / "sweeps").exists()


@pytest.mark.parametrize("name", Composer().options(GROUP))
def test_every_search_fits_and_says_how_to_run_it(name: str) -> None:
    composer = Composer()
    path = composer.folders.file(GROUP, name)
    asked = check_search(read_space(name, path), composer, ["data=simulated_small"])
    assert path.read_text().startswith(f"# python -m fraudlab.tune hparams_search={name} ")
    default = asked.default()
    assert len(default) >= 3
    for dimension in asked.space.dimensions:
        if dimension.name in default:
            assert dimension.fits(default[dimension.name])


def test_the_same_key_varies_once_at_a_time(home: Path, run: Run) -> None:
    text = """\
space: {model: [xgb, rf], sampler: [identity, smote]}
when:
  - if: {model: rf}
    space: {model.params.max_depth: [2, 3]}
  - if: {sampler: smote}
    space: {model.params.max_depth: [4, 5]}
"""
    done = run("tune", *write_space(home, text), "data=toy", "trials=2")
    assert done.code == 2
    assert "varies twice" in done.err


def test_what_varies_decides_what_a_study_is(home: Path) -> None:
    def digest(text: str) -> str:
        write_space(home, text)
        path = home / "conf" / GROUP / "own.yaml"
        return read_space("own", path).digest("data")

    assert digest(TREE) == digest(f"# remark\n{TREE}")
    assert digest(TREE) != digest(TREE.replace("high: 8", "high: 9"))
    assert digest(TREE) != digest(TREE.replace("n_startup_trials: 4", "n_startup_trials: 5"))


def test_a_nested_condition_is_met(home: Path) -> None:
    text = """\
space: {model: [xgb, rf]}
when:
  - if: {model: rf}
    space: {model.params.bootstrap: [true, false]}
  - if: {model: rf, model.params.bootstrap: true}
    space: {model.params.max_samples: {low: 0.2, high: 1.0}}
"""
    write_space(home, text)
    space = read_space("own", home / "conf" / GROUP / "own.yaml")
    asked = check_search(space, Composer(), ["data=toy"])
    chosen = asked.space.walk(asked.known, lambda each: each.probe(1))
    assert chosen == {"model": "rf", "model.params.bootstrap": False}
    wrong = text.replace("low: 0.2, high: 1.0", "low: 0.2, high: 7.0")
    write_space(home, wrong)
    with pytest.raises(ConfigError, match="max_samples"):
        check_search(
            read_space("own", home / "conf" / GROUP / "own.yaml"), Composer(), ["data=toy"]
        )


@settings(derandomize=True, deadline=None)
@given(st.one_of(SCALARS, st.lists(SCALARS, max_size=4)))
def test_a_value_reads_as_it_was_written(value: Any) -> None:
    (setting,) = read_word(f"data.path={value_word(value)}", lambda _: []).settings
    assert setting.value == value
    assert type(setting.value) is type(value)


@settings(derandomize=True, deadline=None)
@given(
    low=st.floats(-1e6, 1e6), width=st.floats(1e-6, 1e6), share=st.floats(0, 1),
    steps=st.one_of(st.none(), st.integers(1, 50)),
)  # fmt: skip
def test_what_is_tried_lies_within_its_range(
    low: float, width: float, share: float, steps: int | None
) -> None:
    high = low + width
    step = None if steps is None else width / steps
    numbers = Range(low, high, step)
    if numbers.fault() is not None:
        return
    value = numbers.rounded(low + share * (numbers.last - low))
    assert numbers.low <= value
    assert value <= numbers.high or value == pytest.approx(numbers.high)
    assert numbers.rounded(value) == value


def test_the_search_of_the_docs_fits(home: Path) -> None:
    text = (ROOT / "docs" / "tuning.md").read_text()
    write_space(home, re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1], "ours")
    composer = Composer(str(home / "conf"))
    space = read_space("ours", composer.folders.file(GROUP, "ours"))
    asked = check_search(space, composer, ["data=toy"])
    assert asked.space.sampling == Sampling()
    assert asked.space.pruning == Pruning()


def test_the_help_lists_every_search(run: Run) -> None:
    assert ", ".join(Composer().options(GROUP)) in run("tune", "-h").out


WEIGHTS = """\
fixed: {model: logreg, sampler: class_weight}
space:
  sampler.params.weights: [balanced, {0: 1, 1: 50}, {0: 1, 1: 5}]
"""


def test_weights_of_classes_may_vary(home: Path, run: Run, small_table: list[str]) -> None:
    words = [*write_space(home, WEIGHTS), *small_table, *QUICK]
    done = run("tune", *words, "trials=3")
    assert done.code == 0, done.err
    found = {str(row["overrides"]["sampler.params.weights"]) for row in board(run)}
    assert len(found) > 1
    assert any("50" in each or "5" in each for each in found)


def test_a_search_of_weights_begins_with_the_chosen_ones(home: Path) -> None:
    folder = home / "conf" / "sampler"
    folder.mkdir(parents=True)
    (folder / "heavy.yaml").write_text("name: class_weight\nparams: {weights: {0: 1, 1: 5}}\n")
    write_space(home, WEIGHTS.replace("class_weight", "heavy"))
    space = read_space("own", home / "conf" / GROUP / "own.yaml")
    checked = check_search(space, Composer(str(home / "conf")), ["data=toy"])
    assert set(checked.default()) == {"sampler.params.weights"}


def test_other_weights_are_another_study(home: Path) -> None:
    path = home / "conf" / GROUP / "own.yaml"
    digests = set()
    for text in (WEIGHTS, WEIGHTS.replace("1: 50", "1: 60"), WEIGHTS.replace("1: 50", "2: 50")):
        write_space(home, text)
        digests.add(read_space("own", path).digest())
    assert len(digests) == 3
