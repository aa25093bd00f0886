"""Nothing that is learnt of models grows with the names that callers make up."""

from msgspec.structs import replace

from gateway.adapters.amendments import Lacks
from gateway.adapters.anthropic_writing import Learnt
from gateway.adapters.latest import MOST, Latest
from tests.adapters.site import asking


def test_the_latest_stay() -> None:
    latest = Latest[int, str]()
    for name in range(MOST + 5):
        latest[name] = "x"
    latest[MOST] = "y"
    assert (min(latest), max(latest), len(latest), latest[MOST]) == (5, MOST + 4, MOST, "y")


def test_what_models_do_not_take() -> None:
    lacks, request = Lacks(), asking("hi").request
    for name in range(MOST + 1):
        lacks.note(replace(request, model=str(name)), "drawing", "temperature is not supported")
        lacks.note(replace(request, model=str(name)), "states", "too many states for serving")
    known = [name for name in range(MOST + 1) if lacks.of(replace(request, model=str(name)))]
    assert 0 < len(known) <= MOST
    assert known[-1] == MOST


def test_what_models_of_anthropic_s_say() -> None:
    learnt = Learnt()
    for name in map(str, range(MOST + 1)):
        learnt.limit(name, "max_tokens: 9 > 5, which is the maximum")
        learnt.level(name, "does not support effort level 'max'. Supported levels: low, medium, high")
        learnt.field(name, "tools.0.custom.input_examples: Extra inputs are not permitted")
    assert [len(known) for known in (learnt.limits, learnt.efforts, learnt.unknown)] == [MOST] * 3
