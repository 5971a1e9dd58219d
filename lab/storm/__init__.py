"""A fault storm: sixty objects, half of them deleted, while cloud, API server and operator misbehave by a seed.

`python -m lab.storm --seed 7` runs one and judges it from outside, by the simulator's request
log, the API server's audit log and the objects. docs/operations/storm.md explains it to users.
"""
