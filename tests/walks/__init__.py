"""Long conversations of real clients, whose models and upstreams change between the turns, before all strict fakes."""
