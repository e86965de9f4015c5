"""The one kind of error that a user is shown as a line of text."""


class UserError(Exception):
    """A mistake the user can mend; its text is one line that says how."""
