"""The kopf edge: kopf watches, these handlers feed the registry, and kopf stops here."""
