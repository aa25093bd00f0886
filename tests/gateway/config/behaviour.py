"""Which test sees the behaviour change when a key changes: key path pattern → name of the test function.

A key stands either here or in `gateway.config.effect.NOT_IN_EFFECT`; `test_effect.py` holds both to the schema.
"""

BEHAVIOUR: dict[str, str] = {}
