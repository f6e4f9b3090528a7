"""Open Inference Protocol V2, its JSON and its binary tensors: (headers, bytes) <-> named arrays.

A body is a JSON document, and behind it the raw bytes of those tensors whose ``binary_data_size`` the document tells,
in its order; the header ``Inference-Header-Content-Length`` says where the document ends. Tensors in a body are views
of it, and tensors of an answer go out as the memory that they are: nothing is copied that need not be converted.

Sources: kserve/open-inference-protocol, ``inference_rest.md``; Triton's ``extension_binary_data.md``.
"""

from __future__ import annotations

from lossmeter.wire.oip.datatypes import DATATYPES
from lossmeter.wire.oip.message import HEADER_LENGTH, Output, Request, RequestedOutput, Tensor
from lossmeter.wire.oip.reader import Limits, padding, read_header_length, read_request
from lossmeter.wire.oip.tensors import Tensors
from lossmeter.wire.oip.writer import Answer, write_answer

__all__ = [
    "DATATYPES",
    "HEADER_LENGTH",
    "Answer",
    "Limits",
    "Output",
    "Request",
    "RequestedOutput",
    "Tensor",
    "Tensors",
    "padding",
    "read_header_length",
    "read_request",
    "write_answer",
]
