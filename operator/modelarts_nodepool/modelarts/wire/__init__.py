"""What ModelArts sends, as models that never fail on a field: see loose.py for the rule."""
