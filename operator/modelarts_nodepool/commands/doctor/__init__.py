"""`modelarts-nodepool doctor`: checks everything that the operator needs, and changes nothing.

A check is one small function; checks.py lists them in order, running.py runs them, report.py shows what they found.
"""
