"""What those who write dialects, adapters, stores and gateways test them with. `docs/selftest.md` shows it in use.

The rules of the dialects stand in `grammar_*`, which know nothing of this gateway: `GRAMMARS` reads any answer by
them. `selftest` asks a running gateway; `check_dialect`, `check_adapter` and `check_store` examine one part of ours,
and tell all that is wrong in one error.
"""

from gateway.testing.adapters import Script, check_adapter
from gateway.testing.clock import FakeClock
from gateway.testing.dialects import check_dialect
from gateway.testing.fake import FakeUpstream, Received, Reply
from gateway.testing.findings import Wrong
from gateway.testing.grammar import Broken, Call, Heard
from gateway.testing.grammars import GRAMMARS, Grammar
from gateway.testing.selftest import Finding, Report, Selection, selftest
from gateway.testing.stores import check_store

__all__ = [
    "GRAMMARS",
    "Broken",
    "Call",
    "FakeClock",
    "FakeUpstream",
    "Finding",
    "Grammar",
    "Heard",
    "Received",
    "Reply",
    "Report",
    "Script",
    "Selection",
    "Wrong",
    "check_adapter",
    "check_dialect",
    "check_store",
    "selftest",
]
