"""Whenever a sweep is killed, and however often, MLflow ends with one whole run per candidate."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dooms import doom
from tests.mirrors import Driver, assert_whole, parents

# What MLflow deprecates of its own libraries is not for us to mend.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

serial = itertools.count()


@pytest.fixture
def driver(home: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    return Driver({}, doom=doom(monkeypatch))


def fresh(driver: Driver, count: int) -> tuple[str, ...]:
    """Return candidates that nobody has trained yet."""
    keys = tuple(f"{next(serial):016x}" for _ in range(count))
    driver.values |= {key: 1 / (2 + place) for place, key in enumerate(keys)}
    return keys


def assert_completes(home: Path, driver: Driver, keys: tuple[str, ...]) -> None:
    driver.sweep(*keys)
    assert driver.warnings == []
    assert_whole(home, keys, driver.values)
    assert all(parent.info.status != "RUNNING" for parent in parents(home).values())


def test_a_kill_before_any_request_costs_nothing(home: Path, driver: Driver) -> None:
    for after in itertools.count():
        keys = fresh(driver, 2)
        died = driver.killed_sweep(after, *keys)
        assert_completes(home, driver, keys)
        if not died:
            break
    assert after > 20  # it did die at each of them


@settings(
    max_examples=8,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kills=st.lists(st.integers(0, 40), min_size=2, max_size=5))
def test_any_number_of_kills_costs_nothing(home: Path, driver: Driver, kills: list[int]) -> None:
    keys = fresh(driver, 3)
    for after in kills:
        driver.killed_sweep(after, *keys)
    assert_completes(home, driver, keys)


def test_a_kill_while_a_closed_run_is_opened_again_costs_nothing(
    home: Path, driver: Driver
) -> None:
    for after in range(3, 8):
        keys = fresh(driver, 1)
        driver.killed_sweep(4, *keys)
        driver.sweep(*fresh(driver, 1))  # which closes what was left
        driver.killed_sweep(after, *keys)
        assert_completes(home, driver, keys)
