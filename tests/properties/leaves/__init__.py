"""Take any accepted request and change one leaf: the requests, the changes, and what counts as none."""
