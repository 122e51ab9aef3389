"""From the bytes of a body to a Struct, strictly, or to an error that says where and why.

The fast way is one prebuilt decoder. Only a body it refuses is read again, field by field, so that
the answer can name every field that is wrong and not just the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from litestar import Request

from fraudlab.manifest import Field
from serve.errors import FieldError, RequestError, pointer
from serve.schemas import batch_type, field_type, is_plain, transaction_type

MOST_ERRORS = 50
BATCH = "transactions"
_MOST_ROWS = 1000  # how many rows are looked at again for errors
_LONGEST = 200
_SECOND_READING = 1 << 20  # a larger body with NaN in it is not worth a slow parse
_REFUSALS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_JSON = re.compile(r"application/(?:json|[\w.!#$&^-]+\+json)", re.IGNORECASE | re.ASCII)
_AT = " - at `"  # what msgspec puts before the place
_ROW = re.compile(rf"\$\.{BATCH}\[(\d{{1,9}})\]")
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_NOT_FINITE = object()

Decode = Callable[[bytes], Any]


class BodyRequest(Request[Any, Any, Any]):
    """A request whose JSON is read by the decoder of its route (`opt={"decode": ...}`)."""

    async def body(self) -> bytes:
        """Return the body; Litestar would not ask `json` about an empty one."""
        content = await super().body()
        return content or await self.json()

    async def json(self) -> Any:
        """Return the Struct of the body."""
        refuse_other_types(self.headers.get("content-type"))
        return self.route_handler.opt["decode"](await super().body())


def refuse_other_types(content_type: str | None) -> None:
    """Raise the 415 for a body that is declared to be something else than JSON."""
    if content_type is None or content_type == "application/json":
        return
    if not _JSON.fullmatch(content_type.partition(";")[0].strip()):
        raise RequestError(415, "The body must be JSON: send Content-Type: application/json.")


class Reader:
    """Read transactions, single or in batches, as the fields of a bundle demand."""

    def __init__(self, fields: tuple[Field, ...], rows: int) -> None:
        self.transaction: Any = transaction_type(fields)
        self.batch: Any = batch_type(self.transaction, rows)
        self._transactions = msgspec.json.Decoder(self.transaction)
        self._batches = msgspec.json.Decoder(self.batch)
        self._fields = {field.name: msgspec.json.Decoder(field_type(field)) for field in fields}
        self._decode: Decode = self._transactions.decode
        self._decode_batch: Decode = self._batches.decode
        if not all(is_plain(field.name) for field in fields):
            self._decode, self._decode_batch = self._decode_by_name, self._decode_batch_by_name
        self._envelopes = msgspec.json.Decoder(batch_type(msgspec.Raw, rows))

    def read_transaction(self, body: bytes) -> Any:
        """Return the transaction in `body`, or raise the `RequestError` that says what is wrong."""
        try:
            return self._decode(body)
        except _REFUSALS as error:
            raise _refusal(body, error, lambda _: list(self._row_errors(body))) from None

    def read_batch(self, body: bytes) -> Any:
        """Return the batch in `body`, or raise the `RequestError` that says what is wrong."""
        try:
            return self._decode_batch(body)
        except _REFUSALS as error:
            raise _refusal(body, error, lambda text: self._batch_errors(body, text)) from None

    def _decode_by_name(self, row: bytes | msgspec.Raw) -> Any:
        """Return the transaction in `row` where a name keeps the Struct's own decoder from it."""
        values = _OBJECT.decode(row)
        if values.keys() != self._fields.keys():
            raise msgspec.ValidationError("Fields are missing or unknown")
        return self.transaction(*[read.decode(values[name]) for name, read in self._fields.items()])

    def _decode_batch_by_name(self, body: bytes) -> Any:
        rows = []
        envelope: Any = self._envelopes.decode(body)
        for number, row in enumerate(envelope.transactions):
            try:
                rows.append(self._decode_by_name(row))
            except msgspec.ValidationError as error:
                raise msgspec.ValidationError(f"{error} - at `$.{BATCH}[{number}]`") from None
        return self.batch(rows)

    def _row_errors(self, row: bytes | msgspec.Raw, *at: str | int) -> Iterator[FieldError]:
        try:
            values = _OBJECT.decode(row)
        except msgspec.ValidationError as error:
            yield FieldError(pointer(*at), str(error))
            return
        for name, decoder in self._fields.items():
            if name not in values:
                yield FieldError(pointer(*at, name), "required field is missing")
                continue
            try:
                decoder.decode(values[name])
            except msgspec.ValidationError as error:
                yield FieldError(pointer(*at, name), str(error))
        yield from _unknown(values, self._fields, at)

    def _batch_errors(self, body: bytes, text: str) -> list[FieldError]:
        row = _ROW.match(text.rpartition(_AT)[2])
        if row is None:
            return _envelope_errors(body, text)
        found: list[FieldError] = []
        rows, first = _ARRAY.decode(_OBJECT.decode(body)[BATCH]), int(row[1])
        for number, content in enumerate(rows[first : first + _MOST_ROWS], start=first):
            found += self._row_errors(content, BATCH, number)
            if len(found) >= MOST_ERRORS:
                break
        return found or _envelope_errors(body, text)


def _unknown(values: dict[str, Any], known: Any, at: tuple[str | int, ...]) -> Iterator[FieldError]:
    for name in values:
        if name not in known:
            yield FieldError(pointer(*at, name[:_LONGEST]), "unknown field")


def _envelope_errors(body: bytes, text: str) -> list[FieldError]:
    try:
        values = _OBJECT.decode(body)
    except msgspec.ValidationError as error:
        return [FieldError("", str(error))]
    if BATCH not in values:
        missing = FieldError(pointer(BATCH), "required field is missing")
        return [missing, *_unknown(values, (), ())]
    return list(_unknown(values, (BATCH,), ())) or [FieldError(pointer(BATCH), _place_free(text))]


def _place_free(text: str) -> str:
    return text.rpartition(_AT)[0] or text


def _refusal(
    body: bytes, error: Exception, explain: Callable[[str], list[FieldError]]
) -> RequestError:
    """Return 422 with the places when the JSON is good and the content is not, 400 otherwise."""
    if not body.strip():
        return RequestError(400, "The body is empty; a JSON object is expected.")
    try:
        if not isinstance(error, msgspec.ValidationError):
            return _malformed(body, error)
        body.decode()
        msgspec.json.decode(body, type=msgspec.Raw)
    except _REFUSALS as second:
        return _malformed(body, second)
    try:
        found = explain(str(error))[:MOST_ERRORS]
    except (
        *_REFUSALS,
        LookupError,
    ):  # a key that stands twice: what was refused is not what is left
        found = []
    return _invalid(found or [FieldError("", _place_free(str(error))[:_LONGEST])])


def _invalid(found: list[FieldError]) -> RequestError:
    first = found[0]
    rest = f" ({len(found) - 1} more in errors)" if len(found) > 1 else ""
    detail = f"{first.pointer[:_LONGEST] or 'The body'}: {first.detail}{rest}"
    return RequestError(422, detail, tuple(found))


def _malformed(body: bytes, error: Exception) -> RequestError:
    if isinstance(error, RecursionError):
        return RequestError(400, "The body is nested too deeply.")
    if isinstance(error, UnicodeDecodeError):
        return RequestError(400, "The body is not valid UTF-8.")
    found = list(_not_finite(body))
    return _invalid(found) if found else RequestError(400, f"The body is not JSON: {error}.")


def _not_finite(body: bytes) -> Iterator[FieldError]:
    """Yield where a body that is JSON otherwise says NaN or Infinity, as many writers do."""
    if len(body) > _SECOND_READING or (b"NaN" not in body and b"Infinity" not in body):
        return
    try:
        value = json.loads(body.decode(), parse_constant=lambda _: _NOT_FINITE)
    except (ValueError, RecursionError):
        return
    for place in _constants(value):
        yield FieldError(pointer(*place), "Expected a finite number")


def _constants(value: Any, *at: str | int) -> Iterator[tuple[str | int, ...]]:
    if value is _NOT_FINITE:
        yield at
    elif len(at) <= len((BATCH, 0, "field")):
        children: Any = ()
        if isinstance(value, dict):
            children = value.items()
        elif isinstance(value, list):
            children = enumerate(value)
        for key, child in children:
            yield from _constants(child, *at, _encodable(key) if isinstance(key, str) else key)


def _encodable(key: str) -> str:
    """Return a key that JSON can carry back: half of a surrogate pair becomes a question mark."""
    return key[:_LONGEST].encode(errors="replace").decode()
