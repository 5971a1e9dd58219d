"""Who we are to ModelArts: keys from their sources, kept fresh, and signing with them. Knows no cluster."""
