"""Random requests to one gateway before strict fakes, after each of which all that tells of requests has to agree."""
