"""What should happen: pure functions of what was observed and of the time, which is an argument."""
