"""Is an answer right? One check for each wire and form; each raises WrongAnswer with the reason."""

from collections.abc import Callable, Mapping
from functools import partial

from bench.check_anthropic import check_anthropic_stream, check_anthropic_whole
from bench.check_google import check_google_stream, check_google_whole, read_gemini, read_v1internal
from bench.check_openai import (
    check_chat_stream,
    check_chat_whole,
    check_responses_stream,
    check_responses_whole,
    check_unended_stream,
    check_unnumbered_stream,
)
from bench.checking import WrongAnswer
from bench.script import Script, Wire

__all__ = ["CHECKS", "UNENDED", "UNNUMBERED", "Check", "Checks", "WrongAnswer"]

Check = Callable[[Script, bytes], None]
Checks = Mapping[tuple[Wire, bool], Check]  # by wire and "is it a stream"

CHECKS: Checks = {
    ("chat", True): check_chat_stream,
    ("chat", False): check_chat_whole,
    ("responses", True): check_responses_stream,
    ("responses", False): check_responses_whole,
    ("anthropic", True): check_anthropic_stream,
    ("anthropic", False): check_anthropic_whole,
    ("gemini", True): partial(check_google_stream, read_gemini),
    ("gemini", False): partial(check_google_whole, read_gemini),
    ("v1internal", True): partial(check_google_stream, read_v1internal),
    ("v1internal", False): partial(check_google_whole, read_v1internal),
}
# peers exist whose Responses streams have neither names nor numbers, or other ones, and some that never send `[DONE]`
UNNUMBERED: Checks = {**CHECKS, ("responses", True): check_unnumbered_stream}
UNENDED: Checks = {**CHECKS, ("chat", True): check_unended_stream}
