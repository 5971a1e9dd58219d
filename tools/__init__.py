"""What writes generated files: crds/, docs/spec/ and the copies in deploy/. `make generate` runs tools/generate.py."""
