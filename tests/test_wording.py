"""How types, values and near names are said."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from fraudlab.config import Tracking
from fraudlab.wording import nearest, type_text, value_text


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (Annotated[int, Meta(ge=1)], "int >= 1"),
        (Annotated[float, Meta(gt=0, le=1)], "float in (0, 1]"),
        (Annotated[float, Meta(ge=0, lt=1)], "float in [0, 1)"),
        (Annotated[int, Meta(lt=9)], "int < 9"),
        (Annotated[list[int], Meta(min_length=1)], "list of int of 1 or more entries"),
        (Annotated[str, Meta(min_length=1, max_length=3)], "text of 1 to 3 entries"),
        (Annotated[str, Meta(max_length=3)], "text of at most 3 entries"),
        (Literal["gini", "entropy"], "gini | entropy"),
        (int | None, "int or null"),
        (bool, "true | false"),
        (tuple[float, float], "[float, float]"),
        (dict[Literal[0, 1], float], "{0 | 1: float}"),
        (list[Annotated[int, Meta(ge=1, le=9)]], "list of int in [1, 9]"),
        (Tracking, "{name, uri, experiment}"),
        (Any, "anything"),
    ],
)
def test_a_type_reads_as_a_person_would_say_it(hint, text):
    assert type_text(hint) == text


def test_values_are_said_as_yaml_writes_them():
    assert [value_text(v) for v in (None, True, 3, "a")] == ["null", "true", "3", "'a'"]


def test_the_nearest_name_is_offered_and_all_are_listed():
    assert nearest("smoot", ["smote", "identity"]) == (
        "; did you mean 'smote'?; available: identity, smote"
    )
    assert nearest("x", []) == "; available: none"
