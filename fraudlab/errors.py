"""The family of errors a user can meet; every message says what, got, allowed, do.

FraudlabError
|- UserError            the command was asked wrongly: exit code 2
|  |- ConfigError       a name, key, type or value in the configuration
|  `- DataError         the table cannot be used as it is
|- PluginError          a plugin or the library behind it cannot be loaded
|- NotApplicableError   a pair of choices that has no meaning
|- ParityError          the exported model does not score as the fitted one does
`- BundleError          a bundle is missing, damaged or of another format
"""


class FraudlabError(Exception):
    """Anything fraudlab reports in its own words; `exit_code` is what a command ends with."""

    exit_code = 1


class UserError(FraudlabError, ValueError):
    """The user asked for something that cannot be."""

    exit_code = 2


class ConfigError(UserError):
    """A configuration names something that does not exist, or a value out of bounds.

    Parameters
    ----------
    message
        What is wrong.
    key
        The dotted key it is about, where one is known; whoever knows where the key was set adds
        that to the message.
    """

    def __init__(self, message: str, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class DataError(UserError):
    """A table that cannot be read, or breaks a rule every table must keep."""


class PluginError(FraudlabError, ImportError):
    """A plugin that cannot be imported, with the command that installs what it lacks."""


class NotApplicableError(UserError):
    """Two choices that exclude each other."""


class ParityError(FraudlabError, ArithmeticError):
    """The exported graph and the fitted model disagree by more than the model's tolerance."""


class BundleError(FraudlabError, ValueError):
    """A bundle that cannot be trusted or read."""

    exit_code = 2
