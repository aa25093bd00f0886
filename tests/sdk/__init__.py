"""The official SDKs against the installed gateway and the strict fake: what they accept is right."""
