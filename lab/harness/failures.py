"""The errors of the lab. Its commands print the message and end with exit code 1.

LabError        something did not happen as expected, or could not be set up
└── ApiError    the API server refused a request
NotYetError     no failure yet: what a wait saw last
"""


class LabError(Exception):
    """The message says what was expected and what was there instead."""


class ApiError(LabError):
    """The message holds the request, the status and the beginning of the answer; `answer` holds the whole answer."""

    def __init__(self, message: str, answer: str = "") -> None:
        super().__init__(message)
        self.answer = answer


class NotYetError(Exception):
    """What is awaited has not happened; the message says what is there instead."""
