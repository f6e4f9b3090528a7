"""Codecs: bytes on one side, documents of NumPy arrays on the other; no sockets, no web framework."""
