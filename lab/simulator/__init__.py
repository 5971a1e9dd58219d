"""A false ModelArts over real HTTP, for the demo, the tests and the benches.

Written from the API's own pages and not from our client: it imports nothing of this package outside lab/, so
that a mistake in the client cannot hide behind the same mistake here. docs/simulator.md is its manual.
"""
