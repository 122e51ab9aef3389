"""What the service refuses, and how it says so: every error leaves as application/problem+json.

RequestError          the request cannot be answered; carries the status and the problem's words
ScoreError            the bundle's scorer gave a number that is no score: a 500, never a null
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException

from fraudlab.errors import FraudlabError

if TYPE_CHECKING:
    from litestar import Request

PROBLEM_JSON = "application/problem+json"
# Where the ASGI scope has what the edge and the routes tell each other.
REQUEST_ID = "fraudlab.request_id"
SCORED = "fraudlab.scored"
_FAILED = 500
_WORDS = {
    404: "There is nothing at this address; /docs lists what there is.",
    _FAILED: "The service failed to answer; its log has the cause under this X-Request-ID.",
}
_log = logging.getLogger("serve")


class FieldError(msgspec.Struct, frozen=True):
    """One thing wrong with the body; `pointer` (RFC 6901) is where, empty for the whole body."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as RFC 9457 has it: `detail` in words, `errors` with the places in the body."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()


class UnavailableProblem(Problem, frozen=True, kw_only=True):
    """The problem of a service without a usable bundle; `detail` says what to run."""

    model_loaded: bool = False


class RequestError(FraudlabError, ValueError):
    """A request that gets `status` instead of an answer."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})

    def problem(self) -> Problem:
        """Return the body of the answer."""
        title = HTTPStatus(self.status).phrase
        return Problem(title=title, status=self.status, detail=self.detail, errors=self.errors)


class UnavailableError(RequestError):
    """No bundle is loaded, so nothing can be scored."""

    def __init__(self, reason: str) -> None:
        super().__init__(503, reason)

    def problem(self) -> Problem:
        """Return the body of the answer."""
        title = HTTPStatus(self.status).phrase
        return UnavailableProblem(title=title, status=self.status, detail=self.detail)


class ScoreError(FraudlabError, ArithmeticError):
    """The scorer returned a number that is not finite."""


def pointer(*parts: str | int) -> str:
    """Return the JSON Pointer of `parts`.

    >>> pointer("transactions", 3, "a/b")
    '/transactions/3/a~1b'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def refuse(error: Exception, request_id: str) -> RequestError:
    """Return what to answer for `error`; what the client may not know goes to the log."""
    if isinstance(error, RequestError):
        return error
    if not isinstance(error, HTTPException) or error.status_code >= _FAILED:
        _log.error("a request failed", extra={"request_id": request_id}, exc_info=error)
        return RequestError(_FAILED, _WORDS[_FAILED])
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"This address only takes {headers.get('allow', 'other methods')}."
        return RequestError(405, detail, headers=headers)
    detail = _WORDS.get(error.status_code, error.detail)
    return RequestError(error.status_code, detail, headers=headers)


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer `error`; Litestar calls this for whatever a route raises."""
    scope: Any = request.scope
    refusal = refuse(error, scope[REQUEST_ID])
    return Response(
        refusal.problem(),
        status_code=refusal.status,
        media_type=PROBLEM_JSON,
        headers=refusal.headers,
    )
