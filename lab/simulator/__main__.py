"""`python -m lab.simulator`: what `modelarts-nodepool simulate` is, without the operator's imports.

The harness starts it, and the tests dozens of times.
"""

from lab.simulator.command import simulate

if __name__ == "__main__":
    simulate()
