"""Exceptions of heatprop: each message is one line that names the thing, its value and the remedy."""


class HeatpropError(Exception):
    """Base of everything heatprop raises on purpose; the command line prints its message and exits with 2."""


class InvalidArrayError(HeatpropError, ValueError):
    """An array has the wrong shape, type or values."""


class InvalidConfigError(HeatpropError, ValueError):
    """A setting lies outside its range."""


class ModelError(HeatpropError, ValueError):
    """A model is unknown, unreadable, or does not say what it is."""


class BackendError(HeatpropError, RuntimeError):
    """An inference backend is unknown, not installed, or refuses the model."""


class SourceError(HeatpropError, OSError):
    """A video source cannot be opened or holds no pictures."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """There is nothing at the source's address."""


class OutputError(HeatpropError, OSError):
    """An output cannot be written."""


class OutputExistsError(OutputError, FileExistsError):
    """An output exists already and was not to be overwritten."""
