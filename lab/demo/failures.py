"""The errors of the demo. command.py tells them to the person and ends with exit code 1.

DemoError       something did not happen as told, or could not be set up
NotYetError     not an error yet: what a wait saw last, while it goes on
"""


class DemoError(Exception):
    """The message says what was expected and what was there instead."""


class NotYetError(Exception):
    """What is awaited has not happened; the message says what is there instead."""
