"""The reconcilers: they gather, decide, act and report."""
