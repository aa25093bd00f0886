"""The envelope in which signatures travel."""

from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import ir
from tests.strategies import signatures


def test_the_envelope_as_it_travels() -> None:
    """The hash is the start of SHA-256 over all before it, as any other program would count it."""
    check = sha256(b"gw1.g.f.c2lnLSs").hexdigest()[:8]
    assert ir.seal(ir.Signature("gemini", "sig-+", "f")) == f"gw1.g.f.c2lnLSs.{check}"


@given(signatures())
def test_what_is_sealed_comes_back(signature: ir.Signature) -> None:
    back = ir.unseal(ir.seal(signature))
    assert back is not None
    assert (back.issuer, back.value) == (signature.issuer, signature.value)
    assert signature.issuer is None or back.kind == signature.kind


@given(signatures(), st.text(st.characters(codec="utf-8")))
def test_words_that_are_not_shown_come_back_with_claudes_signature(signature: ir.Signature, words: str) -> None:
    sealed = ir.seal(signature, words)
    back, said = ir.unseal_thought(sealed)
    assert back == ir.unseal(sealed) == ir.unseal(ir.seal(signature))
    wanted = signature.issuer == "claude" and signature.kind == "t"
    assert said == (words if wanted and signature.value and "\n" not in signature.value else "")


def test_half_a_character_among_words_that_are_not_shown_is_no_error() -> None:
    assert ir.unseal_thought(ir.seal(ir.Signature("claude", "s"), "a\ud800")) == (ir.Signature("claude", "s"), "a?")


@pytest.mark.parametrize("length", range(1, 41))
def test_a_value_of_any_length_comes_back(length: int) -> None:
    signature = ir.Signature("claude", "s" * length)
    assert ir.unseal(ir.seal(signature)) == signature


@pytest.mark.parametrize("letters", [("gemini", "g"), ("claude", "c"), ("openai", "o")])
def test_each_family_has_its_letter(letters: tuple[ir.Family, str]) -> None:
    family, letter = letters
    assert ir.seal(ir.Signature(family, "x")).split(".")[1] == letter


def test_a_bare_value_comes_back_without_issuer() -> None:
    assert ir.unseal("EqoBCkgIBxABGAI=") == ir.Signature(None, "EqoBCkgIBxABGAI=")
    assert ir.seal(ir.Signature(None, "EqoBCkgIBxABGAI=")) == "EqoBCkgIBxABGAI="


def test_nothing_is_no_signature() -> None:
    assert ir.unseal("") is None
    assert ir.unseal("gw1.g.t.dW5zaWduZWQ.951e3e77") == ir.Signature("gemini", "")


@given(signatures().filter(lambda signature: signature.issuer is not None), st.sampled_from(("", "a thought")))
def test_an_envelope_comes_back_in_the_base64_in_which_geminis_callers_get_it(
    signature: ir.Signature, words: str
) -> None:
    sealed = ir.seal(signature, words)
    for coded in (b64encode(sealed.encode()).decode(), urlsafe_b64encode(sealed.encode()).decode().rstrip("=")):
        assert ir.is_sealed(coded)
        assert ir.unseal_thought(coded) == ir.unseal_thought(sealed)
        assert ir.unseal(coded[:-3]) is None


@given(signatures().filter(lambda signature: signature.issuer is not None))
def test_a_damaged_envelope_is_recognised(signature: ir.Signature) -> None:
    sealed = ir.seal(signature)
    for at in range(len("gw1."), len(sealed)):
        damaged = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
        assert ir.unseal(damaged) is None


@given(signatures().filter(lambda signature: signature.issuer is not None))
def test_no_single_bit_can_change_unnoticed(signature: ir.Signature) -> None:
    """Nor can it make a bare signature of an envelope."""
    sealed = ir.seal(signature).encode()
    for at in range(len(sealed)):
        for bit in range(8):
            damaged = sealed[:at] + bytes([sealed[at] ^ 1 << bit]) + sealed[at + 1 :]
            assert ir.unseal(damaged.decode("latin-1")) is None


@pytest.mark.parametrize(
    "bare", ["EqoBCkgIBxABGAI=", "gAAAAABn-_", "claude#abc", "gw1", "a.b.c", "eyJ.e30.x.y.00000000", "Z3cxL/8="]
)
def test_bare_values_are_no_envelopes(bare: str) -> None:
    assert not ir.is_sealed(bare)
    assert ir.unseal(bare) == ir.Signature(None, bare)


@pytest.mark.parametrize(
    "damaged",
    ["gw1.", "gw1.g.t.c2ln", "gw1.g.t.c2ln.00000000", "gw1.é.t.c2ln.00000000", "Z3cxLm", "Z3cxLm_", "Z3cxLm!!"],
)
def test_a_cut_or_false_envelope_is_recognised(damaged: str) -> None:
    assert ir.unseal(damaged) is None


@pytest.mark.parametrize("head", ["gw1.x.t.c2ln", "gw1.g.x.c2ln", "gw1.g.t.c2ln.c2ln", "gw1.g.t.c", "gw1.g.t._w"])
def test_an_envelope_of_another_kind_is_refused(head: str) -> None:
    """The hash is right; family, kind or content are not."""
    assert ir.unseal(f"{head}.{sha256(head.encode()).hexdigest()[:8]}") is None


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("claude-sonnet-4-5", "claude"),
        ("anthropic/Claude-3", "claude"),
        ("gpt-4.1", "openai"),
        ("o3-mini", "openai"),
        ("gpt-oss-120b", "openai"),
        ("gemini-3-pro-high", "gemini"),
        ("something-new", "gemini"),
    ],
)
def test_the_family_of_a_model(model: str, family: str) -> None:
    assert ir.family_of(model) == family
