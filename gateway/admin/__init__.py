"""The operators' endpoints: the page, its JSON, and the login of Google accounts, behind a guard of their own."""

from gateway.admin.administration import Administration
from gateway.admin.inside import Inside

__all__ = ["Administration", "Inside"]
