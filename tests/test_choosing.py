"""Which combinations of lists are tried: lists in pairs, combinations left out, a draw."""

from __future__ import annotations

import itertools
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudlab.choosing import axes_of, combinations, draw
from fraudlab.composition import Composer, Plan
from fraudlab.errors import ConfigError
from fraudlab.excluding import Exclusions
from tests.conftest import ROOT, Run

thoroughly = settings(derandomize=True, deadline=None)

NINE = ("model=logreg,rf,balanced_rf", "sampler=identity,smote,class_weight")


def plan(*words: str, sweep: bool = True, folder: Path | None = None) -> Plan:
    composer = Composer(str(folder)) if folder else own_composer()
    return composer.plan(list(words), multirun=sweep)


@cache
def own_composer() -> Composer:
    """Return the composer of fraudlab's own options: what it has composed once it remembers."""
    return Composer()


def chosen(found: Plan, *groups: str) -> list[tuple[str, ...]]:
    return [tuple(c.options[group] for group in groups) for c in found.candidates]


def refusal(*words: str, sweep: bool = True, folder: Path | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        plan(*words, sweep=sweep, folder=folder)
    return str(raised.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "model").mkdir()
    return tmp_path / "mine"


def recipe(folder: Path, stem: str, text: str) -> None:
    (folder / "experiment" / f"{stem}.yaml").write_text(f"# @package _global_\n{text}")


# Lists that go together


@st.composite
def lists_and_pairs(draws: st.DrawFn) -> tuple[dict[str, list[int]], list[list[str]]]:
    """Return lists by key, and pairs of keys whose lists are equally long."""
    keys = draws(st.permutations("abcdef"))
    pairs = [keys[:2], keys[2:5]][: draws(st.integers(0, 2))]
    lengths = {key: draws(st.integers(1, 3)) for key in keys}
    for pair in pairs:
        lengths |= dict.fromkeys(pair, lengths[pair[0]])
    order = draws(st.permutations(keys))
    return {key: list(range(lengths[key])) for key in order}, [list(pair) for pair in pairs]


@thoroughly
@given(lists_and_pairs())
def test_pairs_keep_what_stands_first_with_what_stands_first(drawn) -> None:
    lists, pairs = drawn
    found = list(combinations(axes_of(lists, lists, pairs), lists))
    every = [dict(zip(lists, row, strict=True)) for row in itertools.product(*lists.values())]
    assert found == [row for row in every if all(len({row[k] for k in p}) == 1 for p in pairs)]
    assert all(list(row) == list(lists) for row in found)


@pytest.mark.parametrize("pair", ["[[model,sampler]]", "[model,sampler]", "[[sampler,model]]"])
def test_a_pair_goes_through_its_lists_together(pair) -> None:
    found = plan(*NINE, f"pair={pair}")
    assert chosen(found, "model", "sampler") == [
        ("logreg", "identity"), ("rf", "smote"), ("balanced_rf", "class_weight"),
    ]  # fmt: skip
    assert found.candidates[0].config.pair == (tuple(pair.strip("[]").split(",")),)
    assert (found.left_out, found.notes) == (0, ())


def test_a_pair_of_parameters_meets_all_values_of_the_other_lists() -> None:
    found = plan(
        "model=rf",
        "model.params.max_depth=2,4",
        "seed=1,2",
        "model.params.n_estimators=10,20",
        "pair=[[model.params.max_depth, model.params.n_estimators]]",
    )
    got = [
        (c.config.model.params["max_depth"], c.config.seed, c.config.model.params["n_estimators"])
        for c in found.candidates
    ]
    assert got == [(2, 1, 10), (2, 2, 10), (4, 1, 20), (4, 2, 20)]


def test_a_long_pair_is_no_long_sweep() -> None:
    words = ("model=rf", "seed=range(0,200)", "model.params.n_estimators=range(1,201)")
    assert len(plan(*words, "pair=[seed,model.params.n_estimators]").candidates) == 200
    assert "40,000 candidates" in refusal(*words)


PAIRS = {
    "[[modle,sampler]]": "pair names 'modle', which has no list of values; did you mean 'model'?",
    "[[seed,sampler]]": "pair names 'seed', which has no list of values; available: model, sampler",
    "[[model,model]]": "pair names 'model' twice: put all lists that go together in one pair",
    "[[model,sampler],[model,sampler]]": "pair names 'model' twice",
    "[model]": "pair: [model] is no pair: name two lists or more",
    "[[]]": "pair: [] is no pair",
    "5": "pair must be a list of lists of keys, such as [[model, sampler]], got 5 (from the comman",
    "{model: rf}": "pair must be a list of lists of keys, such as [[model, sampler]], got {'mod",
    "[[1,2]]": "pair must be a list of lists of keys, such as [[model, sampler]], got [[1, 2]]",
    "model,sampler": "'pair=model,sampler' lists several values, but pair holds for all candidates",
}


@pytest.mark.parametrize("said", PAIRS)
def test_a_pair_that_does_not_fit_is_refused(said) -> None:
    text = refusal(*NINE, f"pair={said}")
    assert text.startswith(PAIRS[said])
    assert "command line" in text or "in one pair of brackets" in text


def test_lists_of_different_length_are_no_pair() -> None:
    text = refusal(*NINE, "seed=1,2", "pair=[model,seed]")
    assert text.startswith(
        "pair: lists that go together must be equally long, but model has 3, seed has 2 values ("
    )


def test_a_single_candidate_has_nothing_to_pair() -> None:
    text = refusal("model=rf", "pair=[model,sampler]", sweep=False)
    assert text.startswith("pair names 'model', which has no list of values; available: none")
    assert len(plan("model=rf", "pair=[]", sweep=False).candidates) == 1


# What is left out

MODELS, SAMPLERS, DEPTHS = ("rf", "balanced_rf", "xgb"), ("smote", "identity"), (1, 2, None)


def entries() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return entries over two groups and a parameter, some of their values lists or patterns."""
    names = [*MODELS, "*rf", "balanced_*"]
    entry = st.fixed_dictionaries(
        {},
        optional={
            "model": st.sampled_from(names) | st.lists(st.sampled_from(names), min_size=1),
            "sampler": st.sampled_from(SAMPLERS),
            "model.params.depth": st.sampled_from(DEPTHS) | st.just([1, None]),
        },
    )
    return st.lists(entry.filter(bool), max_size=3)


def is_like(name: str, said: Any) -> bool:
    patterns = said if isinstance(said, list) else [said]
    return any(
        name == each or (each == "*rf" and name.endswith("rf"))
        or (each == "balanced_*" and name.startswith("balanced_"))
        for each in patterns
    )  # fmt: skip


def is_match(entry: dict[str, Any], model: str, sampler: str, depth: int | None) -> bool:
    depths = entry.get("model.params.depth", depth)
    return (
        is_like(model, entry.get("model", model))
        and is_like(sampler, entry.get("sampler", sampler))
        and (depth in depths if isinstance(depths, list) else depth == depths)
    )


@thoroughly
@given(entries())
def test_what_is_left_out_is_what_matches(wanted) -> None:
    every = list(itertools.product(MODELS, SAMPLERS, DEPTHS))
    exclusions = Exclusions(("model", "sampler"), own_composer().options)
    added = exclusions.add(wanted, "")
    kept = []
    for model, sampler, depth in every:
        plain = {"model": {"name": model, "params": {"depth": depth}}, "sampler": {"name": sampler}}
        if not exclusions.leaves_out(added, {"model": model, "sampler": sampler}, plain):
            kept.append((model, sampler, depth))
    assert kept == [row for row in every if not any(is_match(entry, *row) for entry in wanted)]
    assert exclusions.left_out == len(every) - len(kept)


NINTHS = {
    "[{sampler: smote, model: balanced_rf}]": {("balanced_rf", "smote")},
    "[{sampler: smote, model: 'balanced_*'}]": {("balanced_rf", "smote")},
    "[{sampler: smote, model: balanced_*}]": {("balanced_rf", "smote")},
    "{sampler: smote, model: [rf, logreg]}": {("rf", "smote"), ("logreg", "smote")},
    "[{sampler: smote, model: '*rf'}, {sampler: identity, model: logreg}]": {
        ("rf", "smote"), ("balanced_rf", "smote"), ("logreg", "identity"),
    },
    "[{sampler: smote, model.params.max_depth: null}]": {("rf", "smote"), ("balanced_rf", "smote")},
    "[{sampler: smote, model.params.max_depth: [6, null]}]": {
        ("rf", "smote"), ("balanced_rf", "smote"),
    },
    "[{sampler: smote, model.params.C: 1}]": {("logreg", "smote")},
    "[{sampler: smote, model: rf, seed: 42}]": {("rf", "smote")},
    "[{sampler: smote, model.name: rf}]": {("rf", "smote")},
    "[{sampler: smote, model: rf, model.params.bootstrap: true}]": {("rf", "smote")},
}  # fmt: skip


@pytest.mark.parametrize("said", NINTHS)
def test_a_combination_is_left_out_by_its_options_and_parameters(said) -> None:
    every = chosen(plan(*NINE), "model", "sampler")
    found = plan(*NINE, f"exclude={said}")
    assert chosen(found, "model", "sampler") == [each for each in every if each not in NINTHS[said]]
    count = len(NINTHS[said])
    assert found.left_out == count
    assert found.notes == (f"exclude: {count} of 9 combinations left out",)


def test_an_option_is_left_out_by_the_name_of_its_plugin_too() -> None:
    found = plan("model=tree,tree_depth2,rf", "exclude={model: tree}")
    assert chosen(found, "model") == [("rf",)]
    assert chosen(plan("model=tree,tree_depth2", "exclude={model: *_depth2}"), "model") == [
        ("tree",)
    ]


def test_true_is_not_one() -> None:
    assert plan(*NINE, "exclude=[{model.params.max_depth: true}]").left_out == 0
    assert plan("model=rf", "seed=0,1", "exclude=[{seed: true}]").left_out == 0


def test_a_list_is_a_value_too() -> None:
    words = ("model=mlp", "model.params.hidden_layer_sizes=[8],[8,4]")
    found = plan(*words, "exclude=[{model.params.hidden_layer_sizes: [[8, 4]]}]")
    assert [c.config.model.params["hidden_layer_sizes"] for c in found.candidates] == [[8]]


def test_a_parameter_that_the_users_yaml_omits_has_its_default(folder) -> None:
    (folder / "model" / "short.yaml").write_text("name: rf\n")
    (folder / "model" / "deep.yaml").write_text("name: rf\nparams: {max_depth: 9}\n")
    found = plan("model=short,deep", "exclude=[{model.params.max_depth: null}]", folder=folder)
    assert chosen(found, "model") == [("deep",)]


def test_combinations_that_contradict_themselves_can_be_left_out() -> None:
    words = ("model=rf", "model.params.bootstrap=true,false", "model.params.max_samples=null,0.5")
    assert "max_samples" in refusal(*words)
    left = "{model.params.bootstrap: false, model.params.max_samples: 0.5}"
    found = plan(*words, f"exclude={left}").candidates
    got = [
        (c.config.model.params["bootstrap"], c.config.model.params["max_samples"]) for c in found
    ]
    assert got == [(True, None), (True, 0.5), (False, None)]


def test_what_does_not_apply_is_left_out_too() -> None:
    found = plan("sampler=identity,smote", "calibration=prior", "exclude={sampler: smote}")
    assert chosen(found, "sampler") == [("identity",)]


EXCLUDED = {
    "[{modle: rf}]": "exclude: no group or key 'modle'; did you mean 'model'?",
    "[{modle.params.x: 1}]": "exclude: no group or key 'modle'; did you mean 'model'?",
    "[{model: rff}]": "exclude: no model option 'rff'; did you mean 'rf'?",
    "[{model: [rf, rff]}]": "exclude: no model option 'rff'; did you mean 'rf'?",
    "[{model: zzz*}]": "exclude: no model option 'zzz*'; available: bagging,",
    "[{model.params.max_dept: 6}]": "exclude: no candidate has the key 'model.params.max_dept'; did"
    " you mean 'model.params.max_depth'?",
    "[{model.parms.max_depth: 6}]": "exclude: no candidate has the key 'model.parms.max_depth'; di",
    "[{seed.x: 6}]": "exclude: no candidate has the key 'seed.x'; did you mean 'seed'?",
    "[{model: 5}]": "exclude: model must be an option, a pattern of options such as 'balanced_*',",
    "[{model: {params: {max_depth: 6}}}]": "exclude: model must be an option, a pattern of options",
    "[{}]": "exclude: {} names nothing, so it would leave out all (from the command line",
    "{}": "exclude must be a list of combinations, such as [{sampler: smote, model: balanced_rf}],",
    "5": "exclude must be a list of combinations, such as [{sampler: smote, model: balanced_rf}],",
    "[model]": "exclude must be a list of combinations",
    "{model: rf},{model: xgb}": "'exclude={model: rf},{model: xgb}' lists several values, but",
    "[{seed: 42}]": "exclude leaves out every combination (9), so nothing would be trained: narrow",
    "[{model: '*'}]": "exclude leaves out every combination (9)",
}  # fmt: skip


@pytest.mark.parametrize("said", EXCLUDED)
def test_an_exclusion_that_cannot_be_meant_is_refused(said) -> None:
    text = refusal(*NINE, f"exclude={said}")
    assert text.startswith(EXCLUDED[said])
    assert "command line" in text or "in one pair of brackets" in text


def test_an_exclusion_that_matches_nothing_is_told() -> None:
    found = plan(*NINE, "exclude=[{model: xgb}, {model: rf}, {seed: 7, model: logreg}]")
    assert found.left_out == 3
    assert found.notes == (
        "exclude: 3 of 9 combinations left out",
        "exclude: no combination matches {model: xgb} (from the command line,"
        " 'exclude=[{model: xgb}, {model: rf}, {seed: 7, model: logreg}]')",
        "exclude: no combination matches {seed: 7, model: logreg} (from the command line,"
        " 'exclude=[{model: xgb}, {model: rf}, {seed: 7, model: logreg}]')",
    )


def test_a_single_candidate_that_is_left_out_is_refused() -> None:
    assert "every combination (1)" in refusal("model=rf", "exclude={model: rf}", sweep=False)


# A draw


@thoroughly
@given(st.lists(st.integers()), st.integers(1, 30), st.integers(0, 30))
def test_a_draw_keeps_order_repeats_itself_and_grows(items, size, more) -> None:
    numbers = list(range(len(items)))
    places = draw(numbers, size, numbers)
    assert len(places) == min(size, len(items))
    assert places == sorted(set(places))
    assert draw(items, size, numbers) == [items[place] for place in places]
    assert set(places) <= set(draw(numbers, size + more, numbers))
    alike = [number // 3 for number in numbers]
    drawn = draw(numbers, size, alike)
    assert len({number // 3 for number in drawn}) == min(size, len(set(alike)))
    assert drawn == [number for number in numbers if number // 3 in {n // 3 for n in drawn}]


def test_a_subset_keeps_the_seeds_of_a_candidate_together() -> None:
    words = ["model=logreg,tree,rf,xgb", "seed=1,2,3", "subset=2"]
    plan = Composer().plan(words, multirun=True)
    drawn = [(each.options["model"], each.config.seed) for each in plan.candidates]
    assert len(drawn) == 6
    assert [seed for _, seed in drawn] == [1, 2, 3] * 2
    assert len({model for model, _ in drawn}) == 2


def test_a_subset_is_some_of_the_candidates_in_their_order() -> None:
    every = plan(*NINE)
    found = plan(*NINE, "subset=4")
    assert [
        e for e in chosen(every, "model", "sampler") if e in chosen(found, "model", "sampler")
    ] == (chosen(found, "model", "sampler"))
    assert (len(found.candidates), found.left_out) == (4, 5)
    assert found.notes == ("subset: 4 drawn of 9 candidates",)
    assert plan(*NINE, "subset=4").candidates == found.candidates


def test_the_draw_does_not_depend_on_the_seed() -> None:
    first, second = (plan(*NINE, "subset=4", f"seed={seed}") for seed in (1, 2))
    assert chosen(first, "model", "sampler") == chosen(second, "model", "sampler")


@pytest.mark.parametrize("size", [9, 10, 10_000])
def test_a_subset_beyond_the_count_is_all(size) -> None:
    found = plan(*NINE, f"subset={size}")
    assert (len(found.candidates), found.left_out, found.notes) == (9, 0, ())


def test_what_does_not_apply_is_not_drawn() -> None:
    words = (*NINE, "calibration=prior")
    assert sum(c.not_applicable is not None for c in plan(*words).candidates) == 3
    found = plan(*words, "subset=5")
    assert len(found.candidates) == 5
    assert all(c.not_applicable is None for c in found.candidates)
    assert found.notes == ("subset: 5 drawn of 6 candidates",)
    assert len(plan(*words, "subset=6").candidates) == 9


def test_the_same_candidate_twice_is_drawn_once() -> None:
    twice = plan("model=logreg", "model.params.C=1.0,1,1e0,2.0,2,2e0,3.0,4.0", "subset=3")
    once = plan("model=logreg", "model.params.C=1.0,2.0,3.0,4.0", "subset=3")
    assert [c.config for c in twice.candidates] == [c.config for c in once.candidates]
    assert len({c.config.model.params["C"] for c in twice.candidates}) == 3
    assert twice.notes == ("subset: 3 drawn of 4 candidates",)


def test_exclusions_come_before_the_draw() -> None:
    found = plan(*NINE, "exclude={model: rf}", "subset=5")
    assert (len(found.candidates), found.left_out) == (5, 4)
    assert "rf" not in {model for (model,) in chosen(found, "model")}


# In recipes

LISTS = "hydra: {sweeper: {params: {model: 'logreg,rf,xgb', sampler: 'identity,smote,enn'}}}\n"


def test_a_recipe_chooses_as_the_command_line_does(folder) -> None:
    recipe(folder, "zip", f"pair: [[model, sampler]]\n{LISTS}")
    recipe(folder, "short", f"pair: [model, sampler]\n{LISTS}")
    recipe(folder, "less", f"exclude: [{{sampler: [smote, enn], model: xgb}}]\nsubset: 6\n{LISTS}")
    zipped = [("logreg", "identity"), ("rf", "smote"), ("xgb", "enn")]
    for stem in ("zip", "short"):
        assert chosen(plan(f"experiment={stem}", folder=folder), "model", "sampler") == zipped
    less = plan("experiment=less", sweep=False, folder=folder)
    assert (len(less.candidates), less.left_out) == (6, 3)
    assert less.notes == (
        "exclude: 2 of 9 combinations left out", "subset: 6 drawn of 7 candidates",
    )  # fmt: skip


def test_words_win_over_a_recipe(folder) -> None:
    recipe(folder, "zip", f"pair: [[model, sampler]]\nexclude: [{{model: rf}}]\n{LISTS}")
    assert len(plan("experiment=zip", "pair=[]", folder=folder).candidates) == 6
    assert len(plan("experiment=zip", "exclude=[]", folder=folder).candidates) == 3
    assert len(plan("experiment=zip", "exclude=null", "pair=null", folder=folder).candidates) == 9


def test_a_mistake_in_a_recipe_is_found_in_its_file(folder) -> None:
    recipe(folder, "typo", f"exclude:\n  - {{model: rff}}\n{LISTS}")
    assert "mine/experiment/typo.yaml:2" in refusal("experiment=typo", folder=folder)
    recipe(folder, "key", f"exclude:\n  - {{model.params.max_dept: 6}}\n{LISTS}")
    assert "mine/experiment/key.yaml:2" in refusal("experiment=key", folder=folder)
    recipe(folder, "pair", f"pair: 5\n{LISTS}")
    assert "mine/experiment/pair.yaml:2" in refusal("experiment=pair", folder=folder)
    recipe(folder, "none", f"exclude: [{{model: tree}}]\n{LISTS}")
    (note,) = plan("experiment=none", folder=folder).notes
    assert note.startswith("exclude: no combination matches {model: tree} (from mine/experiment/")


def test_each_of_several_recipes_has_pairs_and_exclusions_of_its_own(folder) -> None:
    recipe(folder, "zip", f"pair: [[model, sampler]]\n{LISTS}")
    recipe(folder, "less", f"exclude: [{{model: [rf, xgb]}}]\n{LISTS}")
    found = plan("experiment=zip,less", folder=folder)
    assert chosen(found, "experiment", "model", "sampler") == [
        ("zip", "logreg", "identity"), ("zip", "rf", "smote"), ("zip", "xgb", "enn"),
        ("less", "logreg", "identity"), ("less", "logreg", "smote"), ("less", "logreg", "enn"),
    ]  # fmt: skip
    assert found.left_out == 6


def test_what_the_command_line_leaves_out_is_left_out_of_all_recipes(folder) -> None:
    recipe(folder, "trees", "hydra: {sweeper: {params: {model: 'tree,rf'}}}\n")
    recipe(folder, "lines", "hydra: {sweeper: {params: {model: 'logreg,mlp'}}}\n")
    words = ("experiment=trees,lines", "exclude=[{model: logreg}, {model.params.max_depth: 99}]")
    found = plan(*words, folder=folder)
    assert chosen(found, "model") == [("tree",), ("rf",), ("mlp",)]
    assert len(found.notes) == 2
    one = plan("experiment=trees,lines", "exclude={experiment: trees, model: rf}", folder=folder)
    assert chosen(one, "model") == [("tree",), ("logreg",), ("mlp",)]


def test_a_subset_is_drawn_of_all_recipes_together(folder) -> None:
    recipe(folder, "first", LISTS)
    recipe(folder, "second", f"seed: 7\n{LISTS}")
    found = plan("experiment=first,second", "subset=5", folder=folder)
    assert (len(found.candidates), found.left_out) == (5, 13)
    recipe(folder, "third", f"subset: 2\n{LISTS}")
    text = refusal("experiment=first,third", folder=folder)
    assert text.startswith("subset holds for the whole command")


def test_a_recipe_that_is_left_out_leaves_the_others(folder) -> None:
    recipe(folder, "first", LISTS)
    recipe(folder, "second", "seed: 7\n")
    found = plan("experiment=first,second", "exclude={experiment: first}", folder=folder)
    assert chosen(found, "experiment") == [("second",)]


# Through the command


def test_the_command_prints_what_was_chosen_and_says_what_was_left_out(run: Run) -> None:
    done = run("train", *NINE, "pair=[model,sampler]", "exclude={model: rf}", "-m", "--cfg")
    assert (done.code, done.err) == (0, "exclude: 1 of 3 combinations left out\n")
    found = list(yaml.safe_load_all(done.out))
    assert [each["model"]["name"] for each in found] == ["logreg", "balanced_rf"]
    assert found[0]["pair"] == [["model", "sampler"]]
    assert found[0]["exclude"] == [{"model": "rf"}]


def test_a_sweep_trains_what_was_chosen(run: Run, small_table: list[str]) -> None:
    words = ("model=logreg,tree", "exclude={model: logreg}", "-m", "launcher=inline")
    done = run("train", *small_table, *words)
    assert done.code == 0, done.err
    assert "1 of 2 combinations left out" in done.err
    assert "logreg" not in done.out


def test_the_examples_of_the_docs_choose_as_they_say(folder) -> None:
    text = (ROOT / "docs" / "experiments.md").read_text().partition("## Choosing what to run")[2]
    lists = {"model": "xgb,rf,balanced_rf", "sampler": "identity,enn,smote", "seed": "0,1"}
    listed = f"hydra: {{sweeper: {{params: {lists}}}}}\n"
    recipe(folder, "docs", re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1] + listed)
    found = plan("experiment=docs", "scaler=standard,quantile", "subset=null", folder=folder)
    assert (len(found.candidates), found.left_out) == (4, 8)
    chapter = text.partition("## What is trained")[0]
    commands = re.findall(r"^    python -m fraudlab.train (.*)$", chapter, re.MULTILINE)
    counts = [len(plan(*shlex.split(each.replace(" -m", ""))).candidates) for each in commands]
    assert counts == [2, 3, 4]


# Keys that are numbers

WEIGHTS = (
    "model=logreg", "sampler=class_weight",
    "sampler.params.weights={0: 1, 1: 50},{0: 1, 1: 5},balanced",
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("[{sampler.params.weights: {0: 1, 1: 50}}]", 2),
        ("[{sampler.params.weights: {1: 50, 0: 1}}]", 2),
        ("[{sampler.params.weights: [{0: 1, 1: 50}, balanced]}]", 1),
        ("[{sampler.params.weights.1: 5}]", 2),
        ("[{sampler.params.weights: {0: 1, 1: 7}}]", 3),
    ],
)
def test_weights_of_classes_can_be_left_out(said: str, left: int) -> None:
    assert len(plan(*WEIGHTS, f"exclude={said}").candidates) == left
