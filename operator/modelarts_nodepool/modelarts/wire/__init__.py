"""Models of what ModelArts sends. A field never fails; see loose.py."""
