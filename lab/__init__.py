"""What the operator is tried against: a simulated ModelArts, a real Kubernetes, demo, storm and bench.

A distribution of its own, which `make setup` installs beside the operator. The operator never imports it.
"""
