"""From words and YAML to candidates: what wins, what sweeps, and what stops the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from fraudlab.composition import Composer, Plan
from fraudlab.errors import ConfigError, NotApplicableError


def plan(*words: str, sweep: bool = False, folder: Path | None = None) -> Plan:
    return Composer(str(folder) if folder else None).plan(list(words), multirun=sweep)


def one(*words: str, folder: Path | None = None):
    found = plan(*words, folder=folder)
    assert not found.is_sweep
    return found.candidates[0]


def refusal(*words: str, sweep: bool = False, folder: Path | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        plan(*words, sweep=sweep, folder=folder)
    text = str(raised.value)
    assert "\n" not in text
    assert "omegaconf" not in text.lower()
    assert "HYDRA" not in text
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for group in ("model", "experiment"):
        (tmp_path / "mine" / group).mkdir(parents=True)
    return tmp_path / "mine"


# What wins


@pytest.mark.parametrize(
    ("option", "features", "split"),
    [
        ("simulated", "rfm", "temporal"),
        ("simulated_small", "rfm", "temporal"),
        ("handbook", "rfm", "temporal"),
        ("ulb", "identity", "stratified"),
        ("table", "identity", "stratified"),
    ],
)
def test_data_sets_features_and_split(option, features, split):
    choices = one(f"data={option}").config.choices
    assert (choices["features"], choices["split"]) == (features, split)


@pytest.mark.parametrize(
    "words",
    [
        ["data=ulb", "features=rfm", "split=temporal"],
        ["split=temporal", "features=rfm", "data=ulb"],
        ["features=rfm", "data=ulb", "split=temporal"],
    ],
)
def test_a_choice_by_hand_beats_what_data_sets_in_any_order(words):
    choices = one(*words).config.choices
    assert (choices["data"], choices["features"], choices["split"]) == ("ulb", "rfm", "temporal")


def test_a_parameter_set_by_hand_is_kept_as_an_override():
    candidate = one("model=xgb", "model.params.max_depth=3", "data.customers=7")
    assert candidate.config.model.params["max_depth"] == 3
    assert candidate.config.data.params["customers"] == 7
    assert candidate.overrides == {"model.params.max_depth": 3, "data.customers": 7}
    assert candidate.options["model"] == "xgb"


def test_every_seeded_part_takes_the_seed():
    config = one("seed=7", "model=rf", "sampler=smote", "scaler=quantile").config
    for group in ("model", "sampler", "scaler"):
        assert config.choice(group).params["random_state"] == 7


def test_the_training_window_comes_from_data():
    assert one().config.split.params["start"] == "2018-07-25"
    assert one("data=simulated_small").config.split.params["start"] == "2018-06-06"
    assert one("split.params.start=2018-08-01").config.split.params["start"] == "2018-08-01"
    ulb = one("data=ulb", "split=temporal").config
    assert ulb.split.params["start"] is None


def test_dicts_lists_and_quoted_texts_can_be_set():
    config = one(
        "data=table",
        "data.path='my file, (2).csv'",
        "data.entities=[card,shop]",
        "data.bounds={amount: [0, 9]}",
        "+data.bounds.hour=[0,24]",
        "sampler=class_weight",
        "sampler.params.weights={0: 1, 1: 50}",
    ).config
    assert config.data.params["path"] == "my file, (2).csv"
    assert config.data.params["entities"] == ["card", "shop"]
    assert set(config.data.params["bounds"]) == {"amount", "hour"}
    assert config.sampler.params["weights"] == {0: 1.0, 1: 50.0}


# What sweeps


def test_lists_sweep_over_all_combinations():
    found = plan("model=logreg,xgb", "sampler=smote", "model.params.random_state=1,2", sweep=True)
    assert found.is_sweep
    pairs = [(c.config.model.name, c.config.model.params["random_state"]) for c in found.candidates]
    assert pairs == [("logreg", 1), ("logreg", 2), ("xgb", 1), ("xgb", 2)]
    assert {c.config.sampler.name for c in found.candidates} == {"smote"}
    assert [c.options["model"] for c in found.candidates] == ["logreg"] * 2 + ["xgb"] * 2


def test_each_candidate_of_a_sweep_is_what_it_would_be_alone():
    words = ("data=ulb,simulated_small", "model=tree_depth2,xgb_exact", "scaler=quantile")
    for candidate in plan(*words, "seed=1,2", sweep=True).candidates:
        groups = [f"{group}={candidate.options[group]}" for group in ("data", "model", "scaler")]
        alone = one(*groups, f"seed={candidate.config.seed}")
        assert candidate.config == alone.config
        assert candidate.options == alone.options


def test_data_of_a_sweep_set_features_unless_they_are_swept_too():
    found = plan("data=ulb,simulated", sweep=True).candidates
    assert [c.config.features.name for c in found] == ["identity", "rfm"]
    found = plan("data=ulb,simulated", "features=rfm,identity", sweep=True).candidates
    assert [c.config.features.name for c in found] == ["rfm", "identity", "rfm", "identity"]


def test_a_glob_takes_the_users_options_too(folder):
    (folder / "model" / "tree_mine.yaml").write_text("defaults: [tree]\n")
    found = plan("model=glob(tree*)", sweep=True, folder=folder).candidates
    assert [c.options["model"] for c in found] == ["tree", "tree_depth2", "tree_mine"]


@pytest.mark.parametrize(
    ("word", "stems"),
    [
        ("model=tree*", ["tree", "tree_depth2"]),
        ("model='tree*'", ["tree", "tree_depth2"]),
        ("model=*_exact,rf", ["xgb_exact", "rf"]),
        ("model=rf,'*_exact'", ["rf", "xgb_exact"]),
        ("data=simulated*", ["simulated", "simulated_published", "simulated_small"]),
    ],
)
def test_a_star_chooses_the_options_it_matches(word, stems):
    group = word.partition("=")[0]
    assert [c.options[group] for c in plan(word, sweep=True).candidates] == stems
    assert "add -m" in refusal(word)


def test_a_star_that_matches_nothing_is_refused_among_others_too():
    assert refusal("model=zzz*").startswith("no model option 'zzz*'")
    assert refusal("model=rf,zzz*", sweep=True).startswith("no model option 'zzz*'")


def test_a_star_in_a_value_is_a_star():
    found = one("data=table", "data.path=*.csv").config.data.params["path"]
    assert found == "*.csv"


@pytest.mark.parametrize("word", ["experiment=of/*", "experiment=glob(of/*)", "experiment='of/*'"])
def test_a_star_chooses_recipes_which_sweep_with_or_without_m(folder, word):
    (folder / "experiment" / "of").mkdir()
    for name, model in (("first", "rf"), ("second", "logreg")):
        text = f"# @package _global_\ndefaults:\n  - override /model: {model}\n"
        (folder / "experiment" / "of" / f"{name}.yaml").write_text(text)
    found = plan(word, folder=folder)
    assert found.is_sweep
    told = [(c.options["experiment"], c.config.model.name) for c in found.candidates]
    assert told == [("of/first", "rf"), ("of/second", "logreg")]


def test_a_range_sweeps():
    assert [c.config.seed for c in plan("seed=range(0,3)", sweep=True).candidates] == [0, 1, 2]


def test_a_list_without_m_is_refused():
    assert "add -m" in refusal("model=xgb,rf")


@pytest.mark.parametrize("sweep", [False, True])
def test_a_recipe_that_lists_candidates_sweeps_with_or_without_m(sweep):
    found = plan("experiment=demo", sweep=sweep)
    assert found.is_sweep
    models = [c.config.model.name for c in found.candidates]
    assert models == ["logreg", "logreg", "xgb", "xgb", "lgbm", "lgbm"]
    assert {c.options["data"] for c in found.candidates} == {"simulated_small"}
    assert {c.options["experiment"] for c in found.candidates} == {"demo"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("model=rf", [("rf", "simulated_small", 42)] * 2),
        ("seed=7", [(m, "simulated_small", 7) for m in ("logreg", "xgb", "lgbm") for _ in "12"]),
        ("data=simulated", [(m, "simulated", 42) for m in ("logreg", "xgb", "lgbm") for _ in "12"]),
    ],
)
def test_the_users_own_words_beat_a_recipe(word, expected):
    for words in ([word, "experiment=demo"], ["experiment=demo", word]):
        found = plan(*words).candidates
        got = [(c.config.model.name, c.options["data"], c.config.seed) for c in found]
        assert got == expected


def test_several_recipes_are_swept_one_after_the_other():
    found = plan("experiment=demo,handbook_baseline", sweep=True).candidates
    assert [c.options["experiment"] for c in found] == ["demo"] * 6 + ["handbook_baseline"] * 5
    assert {c.config.seed for c in found[6:]} == {0}


def test_a_recipe_may_write_its_lists_as_yaml_lists_and_needs_no_mode(folder):
    (folder / "experiment" / "mine.yaml").write_text(
        "# @package _global_\nhydra: {sweeper: {params: {model: [rf, xgb], seed: '1,2'}}}\n"
    )
    found = plan("experiment=mine", folder=folder)
    assert found.is_sweep
    assert [(c.config.model.name, c.config.seed) for c in found.candidates] == [
        ("rf", 1), ("rf", 2), ("xgb", 1), ("xgb", 2),
    ]  # fmt: skip


SHARED = {
    "keep=1,3": "keep holds for the whole command, so its candidates cannot differ in it: got 1 an",
    "selection=average_precision,recall_first": "selection holds for the whole command",
    "tracking=sqlite,disabled": "tracking holds for the whole command",
    "tracking.experiment=a,b": "tracking holds for the whole command",
    "resume=auto,never": "resume holds for the whole command",
    "fail_fast=false,true": "fail_fast holds for the whole command",
}


@pytest.mark.parametrize("word", SHARED)
def test_what_holds_for_a_whole_sweep_cannot_be_swept(word):
    assert refusal(word, "model=logreg,rf", sweep=True).startswith(SHARED[word])


def test_what_holds_for_a_whole_sweep_may_be_set_once_or_listed_alike():
    found = plan("keep=3,3", "selection=recall_first", "seed=1,2", sweep=True).candidates
    assert {(c.config.keep, c.config.selection.name) for c in found} == {(3, "recall_first")}


def test_recipes_that_differ_in_what_holds_for_a_whole_sweep_are_refused(folder):
    for stem, keep in (("few", 1), ("many", 9)):
        text = f"# @package _global_\nkeep: {keep}\n"
        (folder / "experiment" / f"{stem}.yaml").write_text(text)
    text = refusal("experiment=few,many", sweep=True, folder=folder)
    assert text.startswith("keep holds for the whole command")
    assert "got 1 and 9" in text
    listed = "# @package _global_\nhydra: {sweeper: {params: {keep: '1,9'}}}\n"
    (folder / "experiment" / "listed.yaml").write_text(listed)
    assert "got 1 and 9" in refusal("experiment=listed", folder=folder)


def test_an_impossible_pair_is_listed_in_a_sweep():
    found = plan("sampler=identity,smote", "calibration=prior", sweep=True).candidates
    assert found[0].not_applicable is None
    assert "sampler=smote has no meaning with calibration=prior" in str(found[1].not_applicable)


@pytest.mark.parametrize("sampler", ["smote", "smote_under"])
def test_an_impossible_pair_alone_stops(sampler):
    with pytest.raises(NotApplicableError, match=f"{sampler} has no meaning with calibration"):
        plan(f"sampler={sampler}", "calibration=prior")


# What stops the run

TYPOS = {
    "modle=xgb": "no group or key 'modle' (from the command line, 'modle=xgb'); did you mean 'mod",
    "model=xgbb": "no model option 'xgbb' (from the command line, 'model=xgbb'); did you mean 'xg",
    "experiment=demoo": "no experiment option 'demoo'",
    "launcher=rya": "no launcher option 'rya' (from the command line, 'launcher=rya'); did you",
    "sed=1": "no group or key 'sed' (from the command line, 'sed=1'); did you mean 'seed'?",
    "+stray=1": "no group or key 'stray' (from the command line, '+stray=1')",
    "++stray=1": "no group or key 'stray'",
    "modèle=xgb": "no group or key 'modèle' (from the command line, 'modèle=xgb'); did you mean 'm",
    "slot=2": "no group or key 'slot' (from the command line, 'slot=2'); did you mean 'slots'?",
    "launcher.timeout=soon": "launcher.timeout must be seconds, or a number with s, m, h or d such",
    "launcher.memory=0": "launcher.memory must be a number with MB, GB, MiB or GiB such as 4GB, a",
    "~model": "'~model': nothing can be taken away",
    "~seed": "'~seed': nothing can be taken away",
    "model.params.max_dept=3": "model 'xgb' has no parameter 'max_dept'; did you mean 'max_depth'?",
    "model.parms.max_depth=3": "no key 'model.parms'; did you mean 'params'?",
    "tracking.urii=x": "no key 'tracking.urii'; did you mean 'uri'?",
    "data.customer=3": "data 'simulated' has no parameter 'customer'; did you mean 'customers'?",
    "model.params.max_depth=deep": "model.params.max_depth must be int in [0, 1000], got 'deep' (",
    "model.params.learning_rate=7": "model.params.learning_rate must be float in (0, 1], got 7 (",
    "model.params.base_score=x": "model.params.base_score must be float in (0, 1) or null, got 'x'",
    "model.params.tree_method=fast": "model.params.tree_method must be hist | exact | approx, g",
    "scaler.params={with_men: true}": "scaler 'standard' has no parameter 'with_men'",
    "seed=abc": "seed must be int in [0, 4294967295], got 'abc' (from the command line, 'seed",
    "seed=-1": "seed must be int in [0, 4294967295], got -1",
    "seed.x=3": "seed must be int in [0, 4294967295], got {'x': 3}",
    "resume=autp": "resume must be auto | never | only, got 'autp'",
    "keep=0": "keep must be int >= 1, got 0",
    "split.params.start=soon": "split.params.start",
    "data.train_from=soon": "split.params.start must be a day as YYYY-MM-DD, or null, got 'soon'",
    "model.params.max_depth=${nope}": "model.params.max_depth refers to 'nope', which cannot be fo",
    "model.name=rf": "'model.name=rf': choose with model=OPTION",
    "model=[xgb": "'model=[xgb' (from the command line) cannot be read as key=value",
    "model='xgb": "\"model='xgb\" (from the command line) cannot be read as key=value",
    "model": "'model' (from the command line) cannot be read as key=value",
    "": "no group or key ''",
    "=": "no group or key ''",
    "model=": "no model option ''",
    "model=null": "no model option 'null'",
    "model=[xgb]": "no model option",
    "seed=": "'seed=' has no value",
    "model@foo=xgb": "'model@foo=xgb': a group has one place",
    "hydra.mode=MULTIRUN": "'hydra.mode=MULTIRUN': fraudlab runs its candidates itself",
    "hydra/launcher=joblib": "'hydra/launcher=joblib': fraudlab runs its candidates itself",
    "hydra.searchpath=[x]": "'hydra.searchpath=[x]': fraudlab runs its candidates itself",
}  # fmt: skip


@pytest.mark.parametrize("word", TYPOS)
def test_a_word_that_does_not_fit_is_refused_with_the_nearest_name(word):
    assert refusal(word).startswith(TYPOS[word])


@pytest.mark.parametrize("word", ["seed=glob(*)", "seed=range(0,0)", "model=glob(zzz*)"])
def test_a_list_without_values_is_refused(word):
    assert f"{word!r} lists no values" in refusal(word, sweep=True)


@pytest.mark.parametrize("word", ["seed=interval(0,1)", "seed=range(0,9,0)"])
def test_a_list_that_cannot_be_counted_is_refused(word):
    assert "lists no values that can be counted" in refusal(word, sweep=True)


@pytest.mark.parametrize(
    "words", [["seed=range(0,1000000000)"], ["seed=range(0,999)", "keep=range(1,99)"]]
)
def test_a_sweep_beyond_all_reason_is_refused_before_it_is_composed(words):
    assert "10,000" in refusal(*words, sweep=True)


def test_one_wrong_value_of_a_list_stops_the_sweep():
    assert "got 'deep'" in refusal("model.params.max_depth=3,deep", sweep=True)
    assert "no model option 'rff'" in refusal("model=xgb,rff", sweep=True)
    text = refusal("model=logreg,rf", "model.params.max_depth=3", sweep=True)
    assert text.startswith("model 'logreg' has no parameter 'max_depth'")


def test_a_key_set_twice_is_refused():
    assert "model is set twice, by 'model=xgb' and 'model=rf'" in refusal("model=xgb", "model=rf")
    assert "seed is set twice" in refusal("seed=1", "seed=1")


@pytest.mark.parametrize(
    "words",
    [
        ["model=logreg", "model.params.l1_ratio=0.5"],
        ["model.params.tree_method=exact", "model.params.max_depth=0"],
        ["model=rf", "model.params.bootstrap=false", "model.params.max_samples=0.5"],
        ["scaler=minmax", "scaler.params.feature_range=[1,0]"],
        ["sampler=class_weight", "sampler.params.weights={1: 3}"],
        ["split=stratified", "split.params.train=0.9"],
    ],
)
def test_parameters_that_contradict_each_other_are_refused_with_their_words(words):
    assert "from the command line" in refusal(*words)


def test_features_that_know_labels_before_the_split_does_are_refused():
    text = refusal("features.params.delay_days=1")
    assert text.startswith("features.params.delay_days=1 is less than split.params.delay_days=7")
    assert "set features.params.delay_days to 7 or more (from the command line," in text
    text = refusal("features.params.delay_days=7", "split.params.delay_days=14")
    assert "set features.params.delay_days to 14 or more" in text
    listed = refusal("features.params.delay_days=7,8", "split.params.delay_days=8", sweep=True)
    assert "features.params.delay_days=7 is less" in listed


def test_the_delay_of_features_may_be_longer_or_stand_alone():
    for words in (["features.params.delay_days=9"], ["features.params.delay_days=7"]):
        assert one(*words).config.split.params["delay_days"] == 7
    alone = one("split=stratified", "features.params.delay_days=1").config
    assert alone.features.params["delay_days"] == 1
    assert one("features=identity", "split.params.delay_days=14").config.features.params == {}


# The user's own YAML

FILES = {
    "model/typo": ("name: xgb\nparams:\n  max_dept: 3\n", "'max_dept'", "mine/model/typo.yaml:3"),
    "model/deep": ("name: xgb\nparams:\n  max_depth: deep\n", "'deep'", "mine/model/deep.yaml:3"),
    "model/key": ("nam: xgb\n", "no key 'model.nam'; did you mean 'name'?", "model/key.yaml:1"),
    "model/plugin": ("name: xgbb\n", "no model plugin 'xgbb'; did you mean 'xgb'", "plugin.yaml:1"),
    "model/target": ("name: xgb\n_target_: os.system\n", "'model._target_'", "target.yaml:2"),
    "model/broken": (
        "name: xgb\nparams: {a: [\n",
        "this is not valid YAML",
        "mine/model/broken.yaml:3",
    ),
    "model/twice": ("name: xgb\nname: rf\n", "duplicate key name", "mine/model/twice.yaml:2"),
    "model/list": ("- 1\n- 2\n", "model must be {name, params}, got [1, 2]", "model/list.yaml"),
    "model/text": ("just text\n", "no key 'model.just text'", "mine/model/text.yaml"),
    "model/empty": ("", "model.name is missing", "mine/model/empty.yaml"),
    "model/missing": (
        "name: xgb\nparams:\n  max_depth: ???\n",
        "model.params.max_depth has no value yet",
        "mine/model/missing.yaml:3",
    ),
    "model/nowhere": ("name: xgb\nparams: {max_depth: '${no.where}'}\n", "'no.where'", "yaml:2"),
    "model/parent": ("defaults: [xgg]\n", "no model option 'xgg'", "mine/model/parent.yaml"),
    "model/child": ("defaults: [typo_base]\n", "'max_dept'", "mine/model/typo_base.yaml:2"),
    "model/binary": (b"\xff\xfe\x00", "does not hold keys and values", "model/binary.yaml"),
    "experiment/stray": ("# @package _global_\nstray: 1\n", "no key 'stray'", "stray.yaml:2"),
    "experiment/scalar": ("# @package _global_\nmodel: 5\n", "got 5", "experiment/scalar.yaml:2"),
    "experiment/place": ("seed: 1\n", "must begin with", "mine/experiment/place.yaml"),
    "experiment/group": (
        "# @package _global_\ndefaults:\n  - override /modle: xgb\n",
        "'modle'",
        "mine/experiment/group.yaml",
    ),
    "experiment/option": (
        "# @package _global_\ndefaults:\n  - override /model: xgbb\n",
        "no model option 'xgbb'",
        "mine/experiment/option.yaml",
    ),
    "experiment/sweeper": (
        "# @package _global_\nhydra: {sweeper: {parms: {model: rf}}}\n",
        "'parms'",
        "mine/experiment/sweeper.yaml",
    ),
    "experiment/listed": (
        "# @package _global_\nhydra: {sweeper: {params: {modle: 'rf,xgb'}}}\n",
        "no group or key 'modle'",
        "experiment/listed.yaml",
    ),
    "experiment/value": (
        "# @package _global_\nhydra: {sweeper: {params: {model.params.max_depth: '3,deep'}}}\n",
        "got 'deep'",
        "experiment/value.yaml",
    ),
    "experiment/day": ("# @package _global_\ndata: {train_from: soon}\n", "'soon'", "day.yaml:2"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_mistake_in_the_users_yaml_is_found_in_its_file(folder, name):
    content, what, where = FILES[name]
    data = content if isinstance(content, bytes) else content.encode()
    (folder / f"{name}.yaml").write_bytes(data)
    (folder / "model" / "typo_base.yaml").write_text("name: xgb\nparams: {max_dept: 3}\n")
    group, _, stem = name.partition("/")
    text = refusal(f"{group}={stem}", folder=folder)
    assert what in text
    assert where in text


def test_a_file_that_would_hide_another_is_refused(folder):
    (folder / "model" / "xgb.yaml").write_text("name: xgb\n")
    assert "would hide" in refusal("model=xgb", folder=folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert "there is no folder" in refusal(folder=tmp_path / "nowhere")


def test_a_folder_with_an_odd_name_is_read(tmp_path):
    odd = tmp_path / "my conf, 'v2' [x]"
    (odd / "model").mkdir(parents=True)
    (odd / "model" / "mine.yaml").write_text("defaults: [xgb, _self_]\nparams: {max_depth: 2}\n")
    assert one("model=mine", folder=odd).config.model.params["max_depth"] == 2


@pytest.mark.parametrize(
    ("value", "constraints"),
    [
        ("precision>=0.1", "precision>=0.1"),
        ("[precision>=0.1]", ["precision>=0.1"]),
        ("[precision >= 0.1,alerts_per_day<5e1]", ["precision >= 0.1", "alerts_per_day<5e1"]),
        ('["precision>=0.1"]', ["precision>=0.1"]),
    ],
)
def test_a_constraint_needs_no_quotes_of_its_own(value, constraints):
    found = one(f"selection.params.constraints={value}").config.selection
    assert found.params["constraints"] == constraints


def test_constraints_can_be_swept_over_no_more_than_other_selections():
    assert "choose one" in refusal(
        "selection.params.constraints=recall>=0.1,recall>=0.2", sweep=True
    )
