"""`modelarts-nodepool doctor`: checks everything that the operator needs, and changes nothing.

A check is one function; checks.py lists them in order, runner.py runs them, report.py prints the findings.
"""
