"""What should happen to an object that is being deleted. Pure."""
