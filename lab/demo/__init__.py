"""`modelarts-nodepool demo`: the whole operator on this machine, told as a story that checks itself.

command.py is the entry; run.py sets up and takes down; story/ has the chapters; screen.py has the looks.
"""
