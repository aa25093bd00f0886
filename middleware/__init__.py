"""The middlewares: pure ASGI, one concern a file; each works alone in somebody else's app."""

from gateway.middleware.access_log import AccessLog
from gateway.middleware.auth import Auth
from gateway.middleware.body_limit import BodyLimit
from gateway.middleware.cors import Cors
from gateway.middleware.metrics import Metrics
from gateway.middleware.model_map import ModelMap
from gateway.middleware.protocol import Protocol
from gateway.middleware.rate_limit import RateLimit
from gateway.middleware.request_id import RequestId
from gateway.middleware.usage import Usage

__all__ = [
    "AccessLog",
    "Auth",
    "BodyLimit",
    "Cors",
    "Metrics",
    "ModelMap",
    "Protocol",
    "RateLimit",
    "RequestId",
    "Usage",
]
