"""The commands for people, and what they share: flags, output, and read-only access to cluster and ModelArts."""
