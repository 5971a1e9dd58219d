"""Calls to ModelArts as an account, for controllers and commands."""
