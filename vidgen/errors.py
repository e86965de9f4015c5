"""The one exception that a user is meant to read."""


class UserError(Exception):
    """A mistake in a command, a file or a setting; its text is one line that says what to do."""
