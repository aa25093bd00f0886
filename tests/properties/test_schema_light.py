"""What holds for every schema that goes to the Gemini API as JSON Schema, sensible or not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from gateway.dialects.gemini.schema_light import lighten
from tests.fakes import gemini_api_schemas as service
from tests.fakes.gemini_api_models import describe
from tests.fakes.v1internal_call import Call
from tests.fakes.v1internal_signatures import Signatures
from tests.properties.test_schema import anything, json_values, relaxed, schemas

PLACES = pytest.mark.parametrize("parameters", [True, False])


def judge(schema: dict[str, Any], *, parameters: bool) -> None:
    """Fail where the service would refuse the schema."""
    given_as = (
        {"tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}]}
        if parameters
        else {"generationConfig": {"responseJsonSchema": schema}}
    )
    call = Call(
        {"request": {"contents": [], **given_as}}, describe("gemini-3-flash-preview"), Signatures(), {}, root=""
    )
    service.schemas_valid(call)
    service.parameters_are_objects(call)
    service.keywords_known(call)
    service.references_alone(call)
    service.references_lead(call)


@PLACES
@given(schema=anything)
@relaxed
def test_the_service_takes_whatever_comes_out(parameters: bool, schema: Any) -> None:
    judge(lighten(schema, parameters=parameters)[0], parameters=parameters)


@PLACES
@given(schema=schemas)
@relaxed
def test_the_pass_changes_nothing_the_second_time(parameters: bool, schema: Any) -> None:
    once, _ = lighten(schema, parameters=parameters)
    assert lighten(once, parameters=parameters) == (once, ())


@given(schema=json_values)
@relaxed
def test_parameters_are_always_an_object(schema: Any) -> None:
    assert lighten(schema, parameters=True)[0]["type"] == "object"


@PLACES
@given(schema=anything)
@relaxed
def test_the_schema_that_came_is_left_as_it_was(parameters: bool, schema: Any) -> None:
    before = msgspec.json.encode(schema)
    lighten(schema, parameters=parameters)
    assert msgspec.json.encode(schema) == before
