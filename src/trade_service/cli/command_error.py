"""What a command says when it cannot do its work."""


class CommandError(Exception):
    """A command cannot do what it was asked for; the message is one line that says what to do."""
