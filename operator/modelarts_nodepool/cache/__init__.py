"""What the watches saw, with indexes, and the deletions in flight."""
