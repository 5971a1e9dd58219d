"""The operator's HTTP server: probes and metrics."""
