"""Stores that speak the S3 protocol: signed requests (AWS Signature Version 4), lists (ListObjectsV2) and reads.

The bucket stands in the path, or, when `database` is empty, in the host's name, as some clouds want it. Requests go to
the endpoint that was named and nowhere else: another region's store is said, not followed. A library would look for
credentials in the machine's environment and metadata, and look up the host's name itself.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPResponse
from itertools import islice
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from hanse.core.faults import HanseError, fault
from hanse.core.sources import Reader, TableName
from hanse.runtime.readers.stores import Body, named_tables
from hanse.runtime.readers.web import answer, encoded, host_header, query, words

REGION = "us-east-1"
NOTHING_SHA256 = hashlib.sha256(b"").hexdigest()
PAGE = 1000
MOST_PAGES = 1000
CODES = {
    "InvalidAccessKeyId": "source.password",
    "SignatureDoesNotMatch": "source.password",
    "ExpiredToken": "source.password",
    "RequestTimeTooSkewed": "source.password",
    "AccessDenied": "source.permission",
    "AllAccessDisabled": "source.permission",
    "InvalidObjectState": "source.permission",
    "NoSuchBucket": "source.database",
    "InvalidBucketName": "source.database",
    "PermanentRedirect": "source.database",
    "TemporaryRedirect": "source.database",
    "AuthorizationHeaderMalformed": "source.database",
    "IllegalLocationConstraintException": "source.database",
    "NoSuchKey": "source.no_table",
    "PreconditionFailed": "source.objects",
}
STATUSES = {301: "source.database", 307: "source.database", 401: "source.password", 403: "source.permission"}
STATUSES |= {404: "source.no_table", 412: "source.objects"}


class Opened:
    """A bucket."""

    def __init__(self, reader: Reader, password: str) -> None:
        self._reader, self._secret = reader, password
        self._bucket = reader.source.database
        self._server = ""

    def server(self) -> str:
        """Return what the store calls itself, after a first question."""
        if not self._server:
            list(islice(self._names("", 1), 1))
        return self._server

    def encrypted(self) -> bool:
        return self._reader.source.tls != "off"

    def tables(self, most: int) -> list[TableName]:
        return named_tables(self._names("", PAGE), most)

    def below(self, name: str, most: int) -> list[str]:
        """Return the names of at most `most` objects below a folder."""
        return list(islice((each for each in self._names(name, PAGE) if not each.endswith("/")), most))

    @contextmanager
    def get(self, name: str, start: int, tag: str) -> Iterator[Body]:
        """Read an object from byte `start` on; with a tag only the content that had it."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        if tag:
            headers["If-Match"] = tag
        with self._asked(name, "", headers) as response:
            if response.status != (206 if start else 200):
                raise self._refused(response)
            if response.length is None:
                raise fault("source.lost", "the store does not say how long an object is")
            yield Body(response, start + response.length, response.headers["ETag"] or "")

    def _names(self, prefix: str, page: int) -> Iterator[str]:
        token = ""
        for _ in range(MOST_PAGES):
            fields = {"list-type": "2", "max-keys": str(page), "encoding-type": "url"}
            fields |= {"prefix": prefix} if prefix else {}
            fields |= {"continuation-token": token} if token else {}
            with self._asked("", query(**fields), {}) as response:
                if response.status != 200:
                    raise self._refused(response)
                found = _parsed(words(response))
            keys = (key.text or "" for key in found.iterfind("{*}Contents/{*}Key"))
            yield from map(unquote, keys) if found.findtext("{*}EncodingType") == "url" else keys
            token = found.findtext("{*}NextContinuationToken") or ""
            if not token:
                return

    @contextmanager
    def _asked(self, name: str, asked: str, headers: dict[str, str]) -> Iterator[HTTPResponse]:
        path = "/" + encoded("/".join(part for part in (self._bucket, name) if part))
        signed = signature(self._reader, self._secret, path, asked, datetime.now(UTC))
        with answer(self._reader, f"{path}?{asked}" if asked else path, headers | signed) as response:
            self._server = (response.headers["Server"] or "S3")[:80]
            yield response

    def _refused(self, response: HTTPResponse) -> HanseError:
        try:
            said = _parsed(words(response))
            code, region = said.findtext("{*}Code") or "", said.findtext("{*}Region") or ""
        except HanseError:
            code, region = "", ""
        shown = code if re.fullmatch("[A-Za-z0-9.]{1,64}", code) else f"status {response.status}"
        region = response.headers["x-amz-bucket-region"] or region
        where = f", the bucket is in region {region[:40]!r}" if region and region != self._reader.source.region else ""
        skewed = ", this machine's clock and the store's differ" if code == "RequestTimeTooSkewed" else ""
        return fault(
            CODES.get(code) or STATUSES.get(response.status, "source.lost"), f"the store says {shown}{where}{skewed}"
        )


def signature(reader: Reader, secret: str, path: str, asked: str, moment: datetime) -> dict[str, str]:
    """Return the headers that sign a GET without a body; without a user there are none (public buckets)."""
    source, date = reader.source, f"{moment:%Y%m%dT%H%M%SZ}"
    if not source.user:
        return {}
    named = {"host": host_header(reader), "x-amz-content-sha256": NOTHING_SHA256, "x-amz-date": date}
    lines = "".join(f"{name}:{value}\n" for name, value in named.items())
    asks = "\n".join(("GET", path, asked, lines, ";".join(named), NOTHING_SHA256))
    scope = f"{date[:8]}/{source.region or REGION}/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", date, scope, hashlib.sha256(asks.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    signed = hmac.digest(key, text.encode(), "sha256").hex()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={source.user}/{scope}, SignedHeaders={';'.join(named)}, Signature={signed}"
    )
    return {name: value for name, value in named.items() if name != "host"} | {"authorization": authorization}


def _parsed(text: str) -> ET.Element:
    """Return an answer's tree. Entities of its own, which can grow without bound, are refused with their DOCTYPE."""
    try:
        if "<!DOCTYPE" in text:
            raise ET.ParseError
        return ET.fromstring(text)  # noqa: S314
    except ET.ParseError:
        raise fault("source.lost", "the store's answer is not of the S3 protocol") from None
