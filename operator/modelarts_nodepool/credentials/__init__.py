"""Access keys: where they come from, how they stay fresh, and how they sign a request. Knows no cluster."""
