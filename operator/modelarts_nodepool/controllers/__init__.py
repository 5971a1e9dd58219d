"""Gather, decide, act, report: what runs between the handlers and the two ports."""
