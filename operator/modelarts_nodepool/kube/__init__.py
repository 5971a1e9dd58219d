"""The cluster beyond kopf: one connection, objects, patches, events, and whether our kinds are served."""
