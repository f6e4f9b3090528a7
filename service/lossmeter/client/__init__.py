"""Clients of a server of lossmeter: NumPy arrays in, NumPy arrays out, none of the server's own code.

>>> from lossmeter.client import Client
>>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
...     scores = client.score(logits=X, targets=y)

They need the extra ``lossmeter[client]``.
"""

from __future__ import annotations

from lossmeter.client.asynchronous import AsyncClient
from lossmeter.client.blocking import Client
from lossmeter.client.errors import (
    AuthenticationError,
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidInputError,
    LossmeterClientError,
    MalformedRequestError,
    NotFoundError,
    Offender,
    OverloadedError,
    ProblemError,
    ServerFailedError,
    TooLargeError,
    UnexpectedAnswerError,
    UnsupportedMediaTypeError,
)
from lossmeter.client.results import Answer, FileBatch, FileScores, Health, Scores

__all__ = [
    "Answer",
    "AsyncClient",
    "AuthenticationError",
    "Client",
    "ConnectionFailedError",
    "DeadlineExceededError",
    "FileBatch",
    "FileScores",
    "Health",
    "InvalidInputError",
    "LossmeterClientError",
    "MalformedRequestError",
    "NotFoundError",
    "Offender",
    "OverloadedError",
    "ProblemError",
    "Scores",
    "ServerFailedError",
    "TooLargeError",
    "UnexpectedAnswerError",
    "UnsupportedMediaTypeError",
]
