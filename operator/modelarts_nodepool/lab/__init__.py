"""What the demo and the tests run against: a false cloud and a real Kubernetes.

Nothing the operator imports lives here, and the container image leaves it out.
"""
