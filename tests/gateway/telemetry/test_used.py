"""What a span says of the tokens of an answer."""

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as words

from gateway import ir
from gateway.telemetry.attributes import used


def test_what_was_read_from_the_cache_and_written_into_it_is_told_beside_the_input() -> None:
    assert used(ir.Usage(input=100, cache_read=60, cache_write=30, output=7, reasoning=2), "stop") == {
        words.GEN_AI_USAGE_INPUT_TOKENS: 100,
        words.GEN_AI_USAGE_OUTPUT_TOKENS: 7,
        words.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: 60,
        words.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: 30,
        words.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: 2,
        words.GEN_AI_RESPONSE_FINISH_REASONS: ["stop"],
    }
