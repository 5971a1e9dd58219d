"""`why`: what would be decided about one object now, guard by guard. Reads only."""
