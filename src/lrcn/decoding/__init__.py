"""Search for sentences: greedy, beam and sampling over any model that can be stepped."""
