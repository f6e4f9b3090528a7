"""lossmeter says how wrong a classifier is: over HTTP, on the command line, or as a NumPy function."""

__version__ = "0.1.0"
