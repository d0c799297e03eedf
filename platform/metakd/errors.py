"""The one error that a command line catches: a user can mend it."""


class UserError(ValueError):
    """Something that was asked for cannot be had: one line says what, and how to mend it."""
