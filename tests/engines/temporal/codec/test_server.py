"""What a codec server is asked, and what is said when it answers wrongly, late or not at all: over real sockets."""

from __future__ import annotations

import base64
import threading
import traceback
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from engine_bridge.bridge import Decoding
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import codec as codecs
from engine_bridge.engines.temporal import codec_url
from engine_bridge.engines.temporal.codec import Codec, inflated
from engine_bridge.engines.temporal.codec_http import CodecError, CodecServer
from engine_bridge.errors import CancelledError, UsageError
from tests.engines.temporal.codec.crypt import certificate, hidden, serialized, wire
from tests.engines.temporal.codec.server import CodecPlace

TOKEN: Final = "swordfish-swordfish"
ORDER: Final = wire("json/plain", b'{"order": 7}')


@pytest.fixture
def place() -> Iterator[CodecPlace]:
    with CodecPlace() as found:
        yield found


def asking(place: CodecPlace, token: str | None = None, **limits: Any) -> Codec:
    return Codec(CodecServer(place.url, "shop", token, **limits))


def one(codec: Codec, payload: dict[str, Any] | None = None) -> Decoding:
    [found] = codec.decode([payload or hidden(ORDER)], CancelToken())
    return found


def test_payloads_are_decoded_in_one_question_and_kept(place: CodecPlace) -> None:
    codec = asking(place)
    many = [hidden(wire("json/plain", str(n).encode())) for n in range(30)]
    mixed = [*many, ORDER]
    found = codec.decode(mixed, CancelToken())
    assert [one.data for one in found] == [*(str(n).encode() for n in range(30)), b'{"order": 7}']
    assert {one.by for one in found[:30]} == {place.url.removeprefix("http://")} and found[30].by == ""
    [(path, headers, count)] = place.asked
    assert (path, headers["X-Namespace"], count) == ("/decode", "shop", 30) and "Authorization" not in headers
    assert codec.decode(mixed, CancelToken()) == found and len(place.asked) == 1
    codec.forget()
    assert one(codec, many[3]).data == b"3" and len(place.asked) == 2


def test_what_is_kept_is_bounded(place: CodecPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "KEPT", 1_000)
    codec, many = asking(place), [hidden(wire("json/plain", str(n).encode())) for n in range(8)]
    codec.decode(many, CancelToken())
    one(codec, many[7])
    assert len(place.asked) == 1
    one(codec, many[0])
    assert len(place.asked) == 2


def test_one_payload_of_another_key_does_not_hide_the_others(place: CodecPlace) -> None:
    many = [hidden(wire("json/plain", str(n).encode())) for n in range(9)]
    many[4] = hidden(ORDER, b"another-key-another-key-another!")
    found = asking(place).decode(many, CancelToken())
    assert [n for n, one in enumerate(found) if one.data is None] == [4]
    assert "400 Bad Request: cipher: message authentication failed" in found[4].error


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("html", "answered with a web page, not with payloads"),
        ("error", "answered 500 Internal Server Error: the key store is away"),
        ("fewer", "answered with 0 payloads to 1"),
        ("other", "JSON that holds no payloads"),
        ("garbled", "is no payload"),
        ("redirect", "redirects to login.example"),
        ("huge", "more than 97.7 KiB"),
        ("slow", "did not answer in time"),
        ("dripping", "did not answer in time"),
        ("broken", "broke the connection off"),
    ],
)
def test_a_wrong_answer_says_what_is_wrong(way: str, said: str) -> None:
    with CodecPlace(way) as place:
        found = one(asking(place, TOKEN, whole_s=0.4 if way in ("slow", "dripping") else 20, most=100_000))
        place.release.set()
    assert said in found.error and found.data is None
    assert (
        "hunter22" not in str(found.error)
        and TOKEN not in repr(found) + found.error + found.hint + found.detail
    )
    assert "token=abc" not in found.error + found.detail


def test_nobody_at_the_address() -> None:
    with CodecPlace() as place:
        codec = asking(place)
    assert "the connection is refused" in one(codec).error
    with CodecPlace() as place:
        plain = Codec(CodecServer(place.url.replace("http:", "https:"), "shop"))
        assert "The TLS connection" in one(plain).error


def test_a_token_is_wanted(place: CodecPlace) -> None:
    place.token = TOKEN
    assert "wants a bearer token (401 Unauthorized)" in one(asking(place)).error
    assert "wants another bearer token" in one(asking(place, "wrong")).error
    assert one(asking(place, f" {TOKEN}\n")).data == b'{"order": 7}'
    assert "characters that cannot be sent" in one(asking(place, "swordfish\r\nX-Other: 1")).error


def test_a_token_goes_over_tls_or_to_this_machine_only() -> None:
    found = one(Codec(CodecServer("http://codec.example:8081", "shop", TOKEN)))
    assert (
        "not sent to codec.example:8081: the address is plain HTTP" in found.error
        and "https://" in found.hint
    )
    insecure = codecs.codec_at("http://codec.example:8081", "shop", None)
    assert "plain HTTP" in codecs.notices(insecure)[0]
    assert not codecs.notices(codecs.codec_at("http://localhost:1", "shop", None))
    assert not codec_url.private("http://127.0.0.1.example") and codec_url.private("http://[::1]:8081")


def test_tls_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = certificate(tmp_path)
    with CodecPlace(certificate=files) as place:
        assert (
            "is not trusted: self-signed certificate" in one(asking(place, TOKEN)).error and not place.asked
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
        assert one(asking(place, TOKEN)).data == b'{"order": 7}'
        assert place.asked[0][1]["Authorization"] == f"Bearer {TOKEN}"


def test_a_question_is_cancelled() -> None:
    token = CancelToken()
    with CodecPlace("slow") as place:
        threading.Timer(0.1, token.cancel).start()
        with pytest.raises(CancelledError):
            asking(place).decode([hidden(ORDER)], token)


def test_no_exception_shows_the_token() -> None:
    with CodecPlace() as place:
        codec = asking(place, TOKEN)
    with pytest.raises(CodecError) as caught:
        codec.encode([ORDER], CancelToken())
    told = "".join(traceback.format_exception(caught.value))
    assert "refused" in told and TOKEN not in told
    assert TOKEN not in repr(codec.server)


def test_what_is_compressed_needs_no_server_and_has_a_limit(place: CodecPlace) -> None:
    squeezed = wire("binary/zlib", zlib.compress(serialized(ORDER)))
    found = one(Codec(), squeezed)
    assert (found.data, found.encoding, found.by) == (b'{"order": 7}', "json/plain", "")
    both = hidden(squeezed)
    assert one(asking(place), both).data == b'{"order": 7}'
    outside = wire("binary/zlib", zlib.compress(serialized(hidden(ORDER))))
    assert one(asking(place), outside).data == b'{"order": 7}'
    bomb = zlib.compress(serialized(wire("json/plain", b"0" * 1_000_000)))
    assert inflated(bomb, 10_000) == "it becomes more than 9.8 KiB"
    assert "its bytes are broken" in one(Codec(), wire("binary/zlib", b"no zlib")).error
    assert "its end is missing" in one(Codec(), wire("binary/zlib", zlib.compress(b"x" * 99)[:-6])).error


def test_without_a_server_it_says_what_would_be_needed(place: CodecPlace) -> None:
    found = one(Codec())
    assert found.needs_codec and found.error == "It is encrypted (binary/encrypted)."
    other = one(asking(place), wire("binary/of-mine", b"\x01\x02"))
    assert "leaves it encoded (binary/of-mine)" in other.error and not other.needs_codec


def test_addresses() -> None:
    assert codec_url.checked(" https://Codec.example:8081/base/ ") == "https://codec.example:8081/base"
    assert (
        codec_url.of("temporal://h/n?tls=true&codec=http%3A%2F%2Flocalhost%3A1%2Fdecode")
        == "http://localhost:1"
    )
    url = codec_url.put("temporal+file:///a%20b/c.json?only=x.json", "http://localhost:8081/{namespace}")
    assert url == "temporal+file:///a%20b/c.json?only=x.json&codec=http://localhost:8081/{namespace}"
    assert codec_url.put(url, "") == "temporal+file:///a%20b/c.json?only=x.json"
    assert CodecServer("http://localhost:1/{namespace}", "a b").endpoint == "http://localhost:1/a%20b"
    for bad in ("codec.example", "ftp://h", "https://ann:sesame@h", "https://h/?key=sesame", "https://h:0x/"):
        with pytest.raises(UsageError) as caught:
            codec_url.checked(bad)
        assert "sesame" not in str(caught.value)


def test_metadata_goes_as_it_is(place: CodecPlace) -> None:
    from engine_bridge.engines.temporal.payloads import of_standard, standard

    nonce = base64.b64encode(b"\x00\xff\x80\x90").decode()
    asked = {**hidden(ORDER)}
    asked["metadata"] = {**asked["metadata"], "nonce": nonce}
    assert standard(asked) == asked
    stored = of_standard(asked)
    assert stored is not None and stored.opaque == "encrypted"
