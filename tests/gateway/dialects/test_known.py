"""Fields that no wire struct knows: told by their path, and the rest byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET, Raw, UnsetType
from msgspec.json import Decoder

from gateway.dialects.content import MAX_DEPTH
from gateway.dialects.known import Closed, decode_known, decode_open, read_known
from gateway.dialects.place import Place
from gateway.errors import InvalidRequest


class Words(Closed, tag="words"):
    text: str


class Point(Closed):
    x: int


class Shape(Closed, tag="shape"):
    corner: Point | str
    raw: Raw | UnsetType = UNSET


class Whole(Closed, forbid_unknown_fields=False):
    parts: list[Words | Shape] | str = ""
    one: Point | None = None


def read(body: bytes) -> tuple[Whole, list[str]]:
    place = Place()
    return decode_known(body, Whole, place), [loss.path for loss in place.losses]


@pytest.mark.parametrize(
    ("body", "lost"),
    [
        (b"{}", []),
        (b'{"new":1}', []),
        (b'{"one":{"x":1}}', []),
        (b'{"one":{"x":1,"new":1}}', ["one.new"]),
        (b'{"one":{"x":1,"new":null}}', []),
        (b'{"parts":"words"}', []),
        (b'{"parts":[{"type":"words","text":"a","new":{"deep":1}}]}', ["parts[0].new"]),
        (b'{"parts":[{"type":"words","text":"a"},{"type":"shape","corner":{"x":1,"y":2}}]}', ["parts[1].corner.y"]),
        (b'{"parts":[{"new":1,"type":"shape","corner":"c","also":2}],"new":3}', ["parts[0].new", "parts[0].also"]),
        (b' {"one": {"x": 1, "a": 1, "b": 2}} ', ["one.a", "one.b"]),
    ],
)
def test_unknown_fields_are_told(body: bytes, lost: list[str]) -> None:
    assert read(body)[1] == lost


@pytest.mark.parametrize(
    ("body", "rest", "lost"),
    [
        (b'{"one":{"x":1}}', {}, []),
        (b'{"store":null,"one":{"x":1}}', {}, []),
        (b'{"one":{"x":1},"store": {"a" : 1}}', {"store": b'{"a" : 1}'}, []),
        (b'{"one":{"x":1},"new":[ 1],"store":true,"old":null}', {"new": b"[ 1]", "store": b"true"}, []),
        (b'{"one":{"x":1,"new":2},"store":true}', {"store": b"true"}, ["one.new"]),
    ],
)
def test_other_members_of_a_body_are_given(body: bytes, rest: dict[str, bytes], lost: list[str]) -> None:
    place = Place()
    value, found = decode_open(body, Whole, ("metadata", "store"), place)
    assert value.one == Point(1)
    assert {name: bytes(raw) for name, raw in found.items()} == rest
    assert [loss.path for loss in place.losses] == lost


@pytest.mark.parametrize("body", [b'{"new":1', b'{"new":1,"one":2}', b'{"new":\xff}', b'{"one":[]}'])
def test_a_wrong_body_is_refused_whatever_else_it_holds(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_open(body, Whole, ("store",), Place())
    assert "unknown" not in caught.value.message


def test_the_rest_keeps_its_bytes() -> None:
    given = b'{"parts":[{"type":"shape","corner":"c","raw":{ "a": 1.0, "a": 1e2 },"new":1}]}'
    parts = read(given)[0].parts
    shape = parts[0]
    assert isinstance(shape, Shape)
    assert bytes(shape.raw or b"") == b'{ "a": 1.0, "a": 1e2 }'


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"one":{"x":"1","new":1}}', "one.x"),
        (b'{"one":{"new":1}}', "one.x"),
        (b'{"parts":[{"type":"other","new":1}],"one":{"x":1,"new":1}}', "parts[0].type"),
        (b'{"parts":[{"type":5}],"one":{"new":1,"x":1}}', "parts[0].type"),
        (b'{"one":{"new":1,"x":1},"parts":[5]}', "parts[0]"),
    ],
)
def test_what_is_wrong_is_still_refused(body: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(body)
    assert caught.value.param == param


@pytest.mark.parametrize("deep", [MAX_DEPTH, 100_000])
def test_an_unknown_field_may_not_be_deep(deep: int) -> None:
    with pytest.raises(InvalidRequest, match="nested deeper"):
        read(b'{"one":{"x":1,"new":%b%b}}' % (b"[" * deep, b"]" * deep))


def test_a_value_that_names_the_error_is_no_field() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(b'{"parts":[{"type":"contains unknown field"}]}')
    assert caught.value.param == "parts[0].type"


@pytest.mark.parametrize(("raw", "lost"), [(b'{"x":1}', []), (b'{"x":1,"y":2}', ["at.y"])])
def test_a_part_of_a_body(raw: bytes, lost: list[str]) -> None:
    place = Place("at")
    found: Any = read_known(Raw(raw), Decoder(Point), place)
    assert (found, [loss.path for loss in place.losses]) == (Point(x=1), lost)
