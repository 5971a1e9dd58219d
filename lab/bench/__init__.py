"""The figures of the operator, measured from outside on a real control plane. `make bench` and `make soak` call it.

Not part of the wheel. The operator runs as users run it; what it did is read from the API server's audit log, the
stand-in cloud's log of calls and /proc, never from the operator itself.
"""
