"""What a request and an answer hold, apart from how they travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from numpy.typing import NDArray

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON, counted after decompression."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """An input.

    Attributes:
        datatype: its name in the protocol, such as ``FP32``.
        values: of the shape that the request says; BF16 has become float32, BOOL uint8.
    """

    datatype: str
    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """An output that is wanted.

    Attributes:
        name: which.
        binary: whether its bytes are to follow the JSON of the answer.
    """

    name: str
    binary: bool


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A request to infer.

    Attributes:
        id: what the answer is to repeat, if anything.
        parameters: of the request, as sent.
        inputs: by name.
        outputs: those that are wanted; None: those of a request that asks for none by name.
        binary: whether outputs that no one asked for by name are to be binary.
    """

    id: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    outputs: tuple[RequestedOutput, ...] | None = None
    binary: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """An output.

    Attributes:
        name: which.
        values: float64 or float32, of any shape.
        binary: whether its bytes follow the JSON.
    """

    name: str
    values: NDArray[Any]
    binary: bool
