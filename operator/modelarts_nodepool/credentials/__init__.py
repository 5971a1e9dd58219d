"""Who we are to ModelArts: reading keys and signing with them. No network, no clock."""
