"""The cloud in its own words: one client that keeps the promises of ports.ModelArts."""
