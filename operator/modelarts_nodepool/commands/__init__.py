"""What the commands for people share: flags, tables, progress, and the way to cluster and cloud. Decides nothing."""
