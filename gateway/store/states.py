"""How a credential stands, and every way from one state to another.

             served, probed                      verified
    suspected ─────────────► active   needs_verification ─────────► suspected
       ▲  probe_failed, failing │        ▲
       └────────────────────────┘        └── unverified, from active and suspected
    any ── revoked, refused, stopped ──► disabled ── enabled ──► active

Cooling is no state: beside its state, a credential rests for a model until a moment. `limited` says so, and changes
nothing here; neither does any failure of a probe but from active to suspected.
"""

from collections.abc import Mapping
from typing import Final, Literal

__all__ = ["STANDINGS", "TRANSITIONS", "Event", "State", "next_state"]

State = Literal["active", "suspected", "needs_verification", "disabled"]
Event = Literal[
    "served",  # a request got its answer
    "probed",  # a question beside the requests got its answer
    "verified",  # the upstream had asked for its owner, and no longer does
    "probe_failed",
    "failing",  # several requests in a row ended with a server's failure
    "limited",  # 429: it rests for a model
    "unverified",  # only its owner can go on, at the link that comes along
    "revoked",  # invalid_grant: its refresh token is void
    "refused",  # 401 or 403 again, with a new access token
    "stopped",  # an operator takes it out of use
    "enabled",  # an operator takes it into use, or its owner has logged in again
]

STANDINGS: Final = ("active", "suspected", "cooling", "needs_verification", "disabled")  # as people are told

TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    "active": {
        "probe_failed": "suspected",
        "failing": "suspected",
        "unverified": "needs_verification",
        "revoked": "disabled",
        "refused": "disabled",
        "stopped": "disabled",
    },
    "suspected": {
        "served": "active",
        "probed": "active",
        "unverified": "needs_verification",
        "revoked": "disabled",
        "refused": "disabled",
        "stopped": "disabled",
        "enabled": "active",
    },
    "needs_verification": {  # an answer that had begun before lifts nothing
        "verified": "suspected",
        "revoked": "disabled",
        "refused": "disabled",
        "stopped": "disabled",
        "enabled": "active",
    },
    "disabled": {"enabled": "active"},
}  # what stands not here changes nothing


def next_state(state: State, event: Event) -> State:
    """Give the state after an event."""
    return TRANSITIONS[state].get(event, state)
