"""One bounded exchange with the server: lines in, rows out, and what an answer means for those who wait."""

from __future__ import annotations

import gzip
import http
import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from config.settings import HistoryAddress
from gateway.errors import HistoryBusyError, HistoryError

__all__ = ["BadLinesError", "InfluxClient"]

_CONNECT_S, _READ_S = 2.0, 4.0
"""A hung server holds the follower up no longer: it has to end in time when the gateway does."""
_BAD_LINES = (
    http.HTTPStatus.BAD_REQUEST,
    http.HTTPStatus.UNPROCESSABLE_ENTITY,
    http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
)
_OPERATOR = {
    http.HTTPStatus.UNAUTHORIZED: "mend the token or password",
    http.HTTPStatus.FORBIDDEN: "give the token write and read access to the bucket",
    http.HTTPStatus.NOT_FOUND: "make the bucket or database, or set api=v1 for a server without /api/v2/write",
}


class BadLinesError(Exception):
    """The server takes some of the lines for wrong; it may have stored the others."""


class _Connects:
    """Counts the connections a pool makes; urllib3 makes a lost one again without a word."""

    def __init__(self) -> None:
        self.count = 0

    def pool_classes(self) -> dict[str, type[HTTPConnectionPool]]:
        """Return pools that count, by scheme."""
        counter = self

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                counter.count += 1

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                counter.count += 1

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}


class InfluxClient:
    """A connection to one bucket (or database).

    Args:
        address: Where, and which write API.
    """

    def __init__(self, address: HistoryAddress) -> None:
        self._address = address
        self._timeout = urllib3.Timeout(connect=_CONNECT_S, read=_READ_S)
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=4, retries=False, timeout=self._timeout)
        self._connects = _Connects()
        self._pool.pool_classes_by_scheme = self._connects.pool_classes()
        self._client: InfluxDBClient | None = None
        if address.api == "v2":
            self._client = InfluxDBClient(
                address.url,
                token=address.secret(),
                org=address.org or "-",
                timeout=(round(_CONNECT_S * 1000), round(_READ_S * 1000)),
                enable_gzip=True,
                retries=False,
            )
            # One pool for everything: a connection that had to be made again is noticed, whoever made it.
            self._client.api_client.rest_client.pool_manager = self._pool  # type: ignore[assignment]

    @property
    def reconnections(self) -> int:
        """How often a connection had to be made again: once more, and the server may be another process."""
        return max(0, self._connects.count - 1)

    def write(self, lines: Sequence[str]) -> None:
        """Write lines; returns when the server says that it has them.

        Raises:
            BadLinesError: Some of them are wrong.
            HistoryBusyError: Later, it says.
            HistoryError: It cannot be reached, fails or refuses.
        """
        body = "\n".join(lines).encode()
        if self._client is None:
            self._write_v1(body)
            return
        try:
            # Never its batching mode: that drops what a server does not take, with a line in the log.
            self._client.write_api(write_options=SYNCHRONOUS).write(
                self._address.bucket,
                self._address.org or "-",
                body,
                "ms",  # type: ignore[arg-type]  # what WritePrecision.MS is
            )
        except ApiException as error:
            raise self._meaning(int(error.status or 0), str(error.body or error.reason), error.headers) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._away(error) from error

    def query(self, text: str) -> list[dict[str, Any]]:
        """Ask in InfluxQL; returns the series of the one statement.

        Raises:
            HistoryError: There is no answer.
        """
        fields = {"db": self._address.bucket, "q": text, "epoch": "ms"}
        answer = self._ask("GET", f"/query?{urlencode(fields)}")
        (result,) = json.loads(answer)["results"]
        if "error" in result:
            raise HistoryError(f"history: {result['error']}")
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def ping(self) -> None:
        """Find out whether the server is there, on the connection it was there on before.

        Raises:
            HistoryError: It is not.
        """
        self._ask("GET", "/ping")

    def prepare(self) -> None:
        """Make the database of a 1.x server if it can be made; a bucket is the operator's to make."""
        if self._address.api == "v1":
            self._ask("POST", f"/query?{urlencode({'q': f'CREATE DATABASE {json.dumps(self._address.bucket)}'})}")

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_v1(self, body: bytes) -> None:
        fields = {"db": self._address.bucket, "precision": "ms"}
        self._ask("POST", f"/write?{urlencode(fields)}", gzip.compress(body, 1))

    def _ask(self, method: str, target: str, body: bytes | None = None) -> bytes:
        headers = dict(self._address.headers())
        if body is not None:
            headers |= {"Content-Encoding": "gzip"}
        try:
            answer = self._pool.request(method, f"{self._address.url}{target}", body=body, headers=headers)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._away(error) from error
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise self._meaning(answer.status, answer.data.decode(errors="replace"), answer.headers)
        return answer.data

    def _away(self, error: Exception) -> HistoryError:
        return HistoryError(f"history server {self._address.url}: {type(error).__name__}: {error}"[:500])

    def _meaning(self, status: int, said: str, headers: Any) -> Exception:  # noqa: ANN401 - either library's own
        said = f"history server {self._address.url} answers {status}: {said.strip()[:300]}"
        if status in _BAD_LINES:
            return BadLinesError(said)
        if status in {http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE}:
            after = (headers or {}).get("Retry-After", "")
            return HistoryBusyError(said, float(after) if str(after).isdecimal() else 0.0)
        mend = _OPERATOR.get(http.HTTPStatus(status)) if status in set(http.HTTPStatus) else None
        return HistoryError(f"{said}; {mend}" if mend else said)
