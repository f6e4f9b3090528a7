"""Documents that bring readers of JSON down, and what each is answered with."""

from __future__ import annotations

from typing import Final


def repeated(
    item: bytes, size: int, before: bytes = b'{"logits":[', after: bytes = b'],"targets":[0]}'
) -> bytes:
    """A document of about so many bytes that says one thing again and again."""
    return before + b",".join([item] * max(size // (len(item) + 1), 1)) + after


def row(item: bytes, size: int) -> bytes:
    """The same, in one row."""
    return repeated(item, size, b'{"logits":[[', b']],"targets":[0]}')


def scored(value: bytes) -> bytes:
    """A document whose last logit is this."""
    return b'{"logits":[[0,%b]],"targets":[0],"include":[]}' % value


LARGE: Final = 20_000_000

MONSTERS: Final[dict[str, tuple[bytes, int]]] = {
    "depth 100 000 of arrays": (b"[" * 100_000 + b"]" * 100_000, 400),
    "depth 100 000 of objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    "depth 65": (b'{"logits":' + b"[" * 65 + b"1" + b"]" * 65 + b"}", 400),
    "10^6 keys": (b"{" + b",".join(b'"k%d":1' % number for number in range(1_000_000)) + b"}", 422),
    "10^6 times the same key": (b'{"a":0' + b',"a":1' * 1_000_000 + b"}", 422),
    "a key twice": (b'{"logits":[[1,2]],"targets":[0],"targets":[1]}', 422),
    "a key twice, once with escapes": (b'{"logits":[[1,2]],"targets":[0],"t\\u0061rgets":[1]}', 422),
    "a key with NUL": (b'{"logits":[[1,2]],"targets":[0],"loss\\u0000":1}', 422),
    "a key of a megabyte": (b'{"' + b"k" * 1_000_000 + b'":1}', 422),
    "an unknown key": (b'{"logits":[[1,2]],"targets":[0],"__proto__":{}}', 422),
    "1e400": (scored(b"1e400"), 422),
    "-1e400": (scored(b"-1e400"), 422),
    "1e-400": (scored(b"1e-400"), 200),
    "the largest double": (scored(b"1.7976931348623157e308"), 200),
    "half a digit more": (scored(b"1.7976931348623159e308"), 422),
    "exponent of 10^5 digits": (scored(b"1e" + b"9" * 100_000), 422),
    "integer of 10^5 digits": (scored(b"9" * 100_000), 422),
    "fraction of 10^5 digits": (scored(b"0." + b"9" * 100_000), 200),
    "2^64": (scored(b"18446744073709551616"), 200),
    "leading zero": (scored(b"01"), 400),
    "plus sign": (scored(b"+1"), 400),
    "hexadecimal": (scored(b"0x1"), 400),
    "no digit after the point": (scored(b"1."), 400),
    "bare NaN": (scored(b"NaN"), 400),
    "bare Infinity": (scored(b"Infinity"), 400),
    "bare -Infinity": (scored(b"-Infinity"), 400),
    "NaN as a string": (scored(b'"NaN"'), 422),
    "Infinity as a string": (scored(b'"Infinity"'), 422),
    "-Infinity as a string": (scored(b'"-Infinity"'), 200),
    "nan": (scored(b'"nan"'), 422),
    "a number as a string": (scored(b'"0.5"'), 422),
    "true": (scored(b"true"), 422),
    "null": (scored(b"null"), 422),
    "an object as a number": (scored(b"{}"), 422),
    "a row too deep": (scored(b"[1]"), 422),
    "lone surrogate": (b'{"logits":[[1,2]],"targets":[0],"loss":"\\ud800"}', 400),
    "surrogates the wrong way": (b'{"logits":[[1,2]],"targets":[0],"loss":"\\udc00\\ud800"}', 400),
    "byte order mark": (b"\xef\xbb\xbf" + scored(b"1"), 200),
    "byte order mark of UTF-16": (scored(b"1").decode().encode("utf-16"), 400),
    "UTF-32": (scored(b"1").decode().encode("utf-32"), 400),
    "NUL behind": (scored(b"1") + b"\0", 400),
    "NUL before": (b"\0" + scored(b"1"), 400),
    "NUL in a string": (b'{"loss":"a\0b"}', 400),
    "invalid UTF-8": (b'{"loss":"\xff"}', 400),
    "overlong UTF-8": (b'{"loss":"\xc0\x80"}', 400),
    "surrogate in UTF-8": (b'{"loss":"\xed\xa0\x80"}', 400),
    "ragged": (b'{"logits":[[1,2],[1]],"targets":[0,0]}', 422),
    "ragged, and the total fits": (b'{"logits":[[1,[2,3]],[[],4]],"targets":[0,0]}', 422),
    "ragged, and the mean fits": (b'{"logits":[[1,2,3],[1]],"targets":[0,0]}', 422),
    "an empty row": (b'{"logits":[[],[1,2]],"targets":[0,0]}', 422),
    "no row": (b'{"logits":[],"targets":[]}', 422),
    "an empty body": (b"", 400),
    "spaces": (b" " * 1_000_000, 400),
    "a number": (b"1", 422),
    "a string": (b'"logits"', 422),
    "an array": (b"[[1,2]]", 422),
    "null as a document": (b"null", 422),
    "two documents": (scored(b"1") * 2, 400),
    "trailing comma": (b'{"logits":[[1,2,]],"targets":[0]}', 400),
    "comment": (b"/* */" + scored(b"1"), 400),
    "single quotes": (b"{'logits':[[1,2]]}", 400),
    "unclosed": (b'{"logits":[[1,2', 400),
    "unclosed string": (b'{"logits', 400),
    "closed too often": (scored(b"1") + b"}", 400),
    "control character": (b'{"loss":"\x01"}', 400),
    "form feed as a space": (b"\x0c" + scored(b"1"), 400),
    "millions of rows of one number": (repeated(b"[1]", 4_000_000), 422),
    "a target beyond 64 bits": (b'{"logits":[[1,2]],"targets":[1e300]}', 422),
    "a target with a fraction": (b'{"logits":[[1,2]],"targets":[0.5]}', 422),
    "a negative target": (b'{"logits":[[1,2]],"targets":[-1]}', 422),
    "-0 as a target": (b'{"logits":[[1,2]],"targets":[-0.0],"include":[]}', 200),
    "a temperature of 1e-320": (scored(b"1")[:-1] + b',"temperature":1e-320}', 422),
    "unknown loss": (scored(b"1")[:-1] + b',"loss":"%b"}' % (b"x" * 100_000), 422),
}

_ITEMS: Final[dict[str, bytes]] = {
    "null": b"null",
    "true in rows": b"[true]",
    "strings": b'"a"',
    "strings in rows": b'["a"]',
    "escapes": b'"\\u005b"',
    "emoji": '"😀"'.encode(),
    "empty rows": b"[]",
    "empty objects": b"{}",
    "objects": b'{"a":1}',
    "keys twice": b'{"a":1,"a":2}',
    "ragged": b"[1],[1,2]",
    "nested": b"[[1]]",
    "deep": b"[" * 60 + b"]" * 60,
    "rows with null": b"[1,null]",
    "denormals": b"[4.9e-324]",
    "long numbers": b"[0.%b]" % (b"1234567890" * 100),
    "large integers": b"[9999999999999999999999]",
}
_IN_A_ROW: Final = {"NaN": b'"NaN"', "1e400": b"1e400"}
_BARE: Final = {"opening brackets": b"[", "quotes": b'"'}

WRONG: Final = (*_ITEMS, *_IN_A_ROW, *_BARE)
"""Names of large documents that are wrong everywhere: none is cheap to refuse by itself."""


def wrong(name: str, size: int = LARGE) -> bytes:
    """One of them."""
    if name in _ITEMS:
        return repeated(_ITEMS[name], size)
    return row(_IN_A_ROW[name], size) if name in _IN_A_ROW else _BARE[name] * size
