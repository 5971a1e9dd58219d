"""How long a test waits for what it expects before it says that this hangs. One place, for the whole of tests/.

Not a pace: what has to be quick is measured and asserted by its own test. A machine with forty processes on two cores
takes half a minute for what takes a second otherwise, so this is generous; a test that passes never waits it out.
Less than five minutes, for a sweep and the rest of a rejected key last as long: they would hide what does not work.
"""

# For one thing that is expected: a condition of an object, an answer, the end of a process.
HANGING_SECONDS = 240.0

# A stop by SIGTERM or Ctrl-C: ten seconds at most by contract, and as much again for a busy machine. The bench holds it
# to less. What is held in these tests is held for an hour.
QUICKLY_SECONDS = 20.0
