"""A key that needs a part of its own says so when that is not installed."""

import pytest

from gateway.config import load, missing_extras
from gateway.config.extras import is_installed


def nothing(_: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"store": {"redis": "redis://localhost"}}, "store.redis: needs the extra redis"),
        ({"store": {"database": "postgresql://localhost/x"}}, "store.database: needs the extra postgres"),
        ({"metrics": {"otlp": "http://localhost:4318"}}, "metrics.otlp: needs the extra otel"),
    ],
    ids=["redis", "postgres", "otel"],
)
def test_missing_extra_is_named_with_the_command_that_installs_it(config: dict[str, object], said: str) -> None:
    (problem,) = missing_extras(load(config), nothing)
    name = said.rpartition(" ")[2]
    assert str(problem).endswith(f"{said}: pip install 'asgi-llm-gateway[{name}]'")


def test_the_plain_install_needs_none() -> None:
    assert not list(missing_extras(load({}), nothing))


def test_an_installed_extra_is_no_problem() -> None:
    assert not list(missing_extras(load({"store": {"redis": "redis://localhost"}})))


def test_a_module_below_a_missing_one_is_missing() -> None:
    assert not is_installed("no_such_package.sdk")
