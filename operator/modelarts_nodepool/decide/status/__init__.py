"""What the status of a living object says. Pure."""
