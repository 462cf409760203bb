"""Formats that hide values: each is read, written back as what it was, and its clean bytes stay.

Protocol Buffers are made and read again by Google's own library.
"""

from __future__ import annotations

import base64
import gzip
import json
import quopri
import zlib
from urllib.parse import parse_qs, parse_qsl, quote, urlencode

import pytest
from google.protobuf import struct_pb2, type_pb2

from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.dlp import Redactor
from speedscale_runtime.dlp.traverse import protobuf
from speedscale_schemas.frames import Frame

MAIL, CARD, WORD = "ada.lovelace@example.org", "4111111111111111", "hunter2xyPw"
PROTO, GRPC, FORM = "application/x-protobuf", "application/grpc", "application/x-www-form-urlencoded"


def redacted(redactor: Redactor, body: bytes, kind: str, coding: str = "") -> Frame:
    """Return the frame after redaction; a second one has to change nothing."""
    headers = {"Content-Type": [kind], "Content-Length": [str(len(body))]}
    if coding:
        headers["Content-Encoding"] = [coding]
    head = {"http": {"req": {"url": "/x", "headers": {}}, "res": {"statusCode": 200, "headers": headers}}}
    frame = redactor.redact_frame(Frame(json.dumps(head).encode(), b"", body)).frame
    assert not redactor.redact_frame(frame).modified
    return frame


def body(redactor: Redactor, data: bytes, kind: str, coding: str = "") -> bytes:
    return redacted(redactor, data, kind, coding).response_body


def message() -> type_pb2.Type:
    """Return a message with strings, numbers, and messages in messages."""
    made = type_pb2.Type(name=MAIL, oneofs=["plain", f"card {CARD}"], edition="x" * 300)
    made.fields.add(name="a", number=7, type_url=f"mail {MAIL}", packed=True)
    made.source_context.file_name = "lamp.proto"
    return made


def framed(data: bytes, flag: int = 0) -> bytes:
    return bytes((flag,)) + len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize("street", ["Flat 5, Bryant Crossroad", "Hauptstraße 5", "12 Smith & Sons Lane", "1-1"])
@pytest.mark.parametrize(
    "names", [("address[line1]", "address[state]"), ("data[住所]", "data[郵便番号]"), ("address", "zip")]
)
@pytest.mark.parametrize("encoded", [True, False])
def test_an_address_in_a_form_ends_where_its_field_does(
    standard: Redactor, street: str, names: tuple[str, str], encoded: bool
) -> None:
    fields = [("id", "cus_7"), (names[0], street), (names[1], "CA"), ("currency", "eur"), ("metadata[a]", "b c")]
    plain = "&".join(f"{key}={value.replace(' ', '+').replace('&', '%26')}" for key, value in fields)
    out = body(standard, (urlencode(fields) if encoded else plain).encode(), FORM).decode()
    found = dict(parse_qsl(out))
    assert {key: value for key, value in found.items() if key != names[0]} == dict(fields[:1] + fields[2:])
    assert found[names[0]].startswith("REDACTED-ADDRESS-") or street == "1-1"


class TestProtobuf:
    def test_lengths_are_right_and_everything_else_stays(self, standard: Redactor) -> None:
        original = message()
        out = body(standard, original.SerializeToString(), PROTO)
        assert find_leaks(out, [MAIL, CARD]) == []
        made = type_pb2.Type.FromString(out)
        assert made.name.startswith("REDACTED-EMAIL-")
        assert made.oneofs[1].startswith("card REDACTED-CREDIT_CARD-")
        assert made.fields[0].type_url == "mail " + made.name
        for part in (made, original):
            part.ClearField("name")
            del part.oneofs[1:]
            part.fields[0].ClearField("type_url")
        assert made == original

    def test_a_struct_and_its_depth(self, standard: Redactor) -> None:
        inner: dict[str, object] = {"mail": MAIL}
        for _ in range(10):
            inner = {"inner": inner}
        made = struct_pb2.Struct()
        made.update(inner)
        out = body(standard, made.SerializeToString(), PROTO)
        assert find_leaks(out, [MAIL]) == []
        read: object = struct_pb2.Struct.FromString(out)
        for _ in range(10):
            read = read["inner"]  # type: ignore[index]
        assert read["mail"].startswith("REDACTED-EMAIL-")  # type: ignore[index]

    def test_long_integers_and_doubles_become_surrogates(self, standard: Redactor) -> None:
        made = struct_pb2.Struct()
        made["card"] = int(CARD)
        out = struct_pb2.Struct.FromString(body(standard, made.SerializeToString(), PROTO))
        assert len(str(int(out["card"]))) == 16
        assert int(out["card"]) != int(CARD)
        varint = type_pb2.EnumValue(name="x", number=7).SerializeToString() + b"\x28" + protobuf._write(int(CARD))
        fields = protobuf.parse(body(standard, varint, PROTO))
        assert fields is not None
        assert str(fields[-1].value) == str(int(out["card"]))

    def test_a_clean_message_keeps_its_bytes(self, standard: Redactor) -> None:
        data = type_pb2.Type(name="lamp", oneofs=["a", "b"]).SerializeToString()
        assert body(standard, data, PROTO) == data

    def test_without_a_type_it_is_told_by_its_look(self, standard: Redactor) -> None:
        out = body(standard, message().SerializeToString(), "application/octet-stream")
        assert type_pb2.Type.FromString(out).name.startswith("REDACTED-EMAIL-")

    def test_in_base64_in_json(self, standard: Redactor) -> None:
        coded = base64.b64encode(message().SerializeToString()).decode()
        out = json.loads(body(standard, json.dumps({"d": coded}).encode(), "application/json"))
        assert type_pb2.Type.FromString(base64.b64decode(out["d"])).name.startswith("REDACTED-EMAIL-")

    def test_what_is_no_message_fails_closed(self, standard: Redactor) -> None:
        out = body(standard, b"\x0a\xff" + MAIL.encode(), PROTO)
        assert out.startswith(b"REDACTED-UNDECODABLE-")

    def test_text_that_parses_by_chance_is_read_as_text(self, standard: Redactor) -> None:
        # the tag and the length are printable, and the value stands across what would be a field's end
        text = b'"\x2a' + MAIL.encode() + b" " * (42 - len(MAIL) - 4) + b"ada@" + b'"\x09x.example'
        made = type_pb2.Type(name=text.decode()).SerializeToString()
        assert find_leaks(body(standard, made, PROTO), [MAIL]) == []


class TestGrpc:
    @pytest.mark.parametrize("flag", [0, 1])
    def test_frames(self, standard: Redactor, flag: int) -> None:
        data = message().SerializeToString()
        trailer = framed(b"grpc-status: 0\r\nx-mail: " + MAIL.encode() + b"\r\n", 0x80)
        wire = framed(gzip.compress(data) if flag else data, flag) + trailer
        out = body(standard, wire, GRPC)
        assert find_leaks(out, [MAIL, CARD]) == []
        length = int.from_bytes(out[1:5], "big")
        first = out[5 : 5 + length]
        assert type_pb2.Type.FromString(gzip.decompress(first) if flag else first).name.startswith("REDACTED-EMAIL-")
        assert out[5 + length] == 0x80
        assert int.from_bytes(out[6 + length : 10 + length], "big") == len(out) - length - 10

    def test_web_text(self, standard: Redactor) -> None:
        out = body(standard, base64.b64encode(framed(message().SerializeToString())), "application/grpc-web-text")
        assert find_leaks(base64.b64decode(out), [MAIL, CARD]) == []

    @pytest.mark.parametrize("data", [b"\x00\x00\x00\x00\xff" + MAIL.encode(), framed(b"\x00snappy", 1), b"\x07\x00"])
    def test_what_does_not_add_up_fails_closed(self, standard: Redactor, data: bytes) -> None:
        assert body(standard, data, GRPC).startswith(b"REDACTED-UNDECODABLE-")


class TestCharacterSets:
    TEXT = json.dumps({"password": WORD, "m": MAIL, "n": 12.50, "city": "Zürich"}, ensure_ascii=False)

    @pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
    def test_unicode(self, standard: Redactor, codec: str) -> None:
        out = body(standard, self.TEXT.encode(codec), "application/json; charset=" + codec)
        read = json.loads(out.decode(codec))
        assert read["password"].startswith("REDACTED-PASSWORD-")
        assert (read["n"], read["city"]) == (12.5, "Zürich")

    @pytest.mark.parametrize("codec", ["cp037", "utf-7", "iso2022_jp"])
    def test_named_ones(self, standard: Redactor, codec: str) -> None:
        text = f"mail {MAIL} and more"
        out = body(standard, text.encode(codec), "text/plain; charset=" + codec)
        assert out.decode(codec).startswith("mail REDACTED-EMAIL-")
        assert out.decode(codec).endswith(" and more")

    def test_a_byte_order_mark_of_utf_32_needs_no_name(self, standard: Redactor) -> None:
        out = body(standard, self.TEXT.encode("utf-32"), "application/json")
        assert WORD not in out.decode("utf-32")

    def test_what_is_not_in_its_character_set_fails_closed(self, standard: Redactor) -> None:
        out = body(standard, b"\x00\xd8" + MAIL.encode("utf-16-le") + b"\x00", "text/plain; charset=utf-16le")
        assert out.startswith(b"REDACTED-UNDECODABLE-")

    def test_latin_letters_of_one_byte(self, standard: Redactor) -> None:
        out = body(standard, "password=hünter2xyPw&a=b".encode("latin-1"), FORM)
        assert out.startswith(b"password=REDACTED-PASSWORD-")
        assert out.endswith(b"&a=b")


class TestParts:
    def part(self, headers: bytes, content: bytes) -> bytes:
        return b"--XX\r\n" + headers + b"\r\n\r\n" + content + b"\r\n--XX--\r\n"

    def test_quoted_printable(self, standard: Redactor) -> None:
        content = b"Gr=C3=BC=C3=9Fe, mail =61da.lovel=\r\nace=40example.org ok"
        data = self.part(b"Content-Transfer-Encoding: quoted-printable", content)
        out = body(standard, data, "multipart/mixed; boundary=XX")
        assert MAIL.encode() not in quopri.decodestring(out)
        assert b"Gr=C3=BC=C3=9Fe, mail REDACTED-EMAIL-" in out

    @pytest.mark.parametrize("newline", ["\r\n", "\n"])
    def test_base64_in_lines_is_read_across_them(self, standard: Redactor, newline: str) -> None:
        coded = base64.b64encode((f"hello, my mail is {MAIL}, " * 6).encode()).decode()
        lines = newline.join(coded[i : i + 76] for i in range(0, len(coded), 76))
        data = self.part(b"Content-Transfer-Encoding: base64", lines.encode())
        out = body(standard, data, "multipart/mixed; boundary=XX")
        content = out.split(b"\r\n\r\n")[1].split(b"\r\n--XX")[0]
        assert base64.b64decode(content).count(b"REDACTED-EMAIL-") == 6
        assert find_leaks(base64.b64decode(content), [MAIL]) == []
        assert max(map(len, content.split(newline.encode()))) == 76

    def test_a_compressed_file(self, standard: Redactor) -> None:
        plain = f"mail {MAIL} ok".encode()
        headers = b"Content-Disposition: form-data; name=f; filename=a.gz\r\nContent-Type: application/gzip"
        out = body(standard, self.part(headers, gzip.compress(plain)), "multipart/form-data; boundary=XX")
        content = out.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n--XX--\r\n")
        assert gzip.decompress(content).startswith(b"mail REDACTED-EMAIL-")


class TestBinary:
    def test_tokens_between_binary_take_as_many_bytes(self, standard: Redactor) -> None:
        packed = b"\x82\xa5email\xb8" + MAIL.encode() + b"\xa1n\xcd\x01\x00"  # MessagePack
        out = body(standard, packed, "application/msgpack")
        assert len(out) == len(packed)
        assert find_leaks(out, [MAIL]) == []
        assert out.startswith(b"\x82\xa5email\xb8REDACTED-EMAIL-")

    def test_gzip_inside(self, standard: Redactor) -> None:
        data = b"\x00\x01\x02\xff" * 4 + gzip.compress(MAIL.encode() * 3) + b"\xff\xfe\x00"
        assert find_leaks(body(standard, data, "application/octet-stream"), [MAIL]) == []

    def test_gzip_inside_that_is_cut_is_replaced_to_the_end(self, standard: Redactor) -> None:
        data = b"\x00\x01\x02\xff" * 4 + gzip.compress(bytes(range(256)) + MAIL.encode() * 30)[:-12]
        out = body(standard, data, "application/octet-stream")
        assert out.startswith(b"\x00\x01\x02\xff")
        assert b"REDACTED-UNDECODABLE-" in out

    def test_base64_of_binary_with_text_in_it_at_any_alignment(self, standard: Redactor) -> None:
        for lead in range(4):
            plain = b"\x00\x01\xff\xfe\x80" * 3 + b"\x00" * lead + MAIL.encode() + b"\x00\xff" * 6
            coded = "x" * lead + base64.b64encode(plain).decode()
            out = body(standard, json.dumps({"d": coded}).encode(), "application/json")
            assert find_leaks(out, [MAIL]) == [], lead
            assert len(json.loads(out)["d"]) == len(coded)

    def test_random_base64_stays(self, standard: Redactor) -> None:
        import random

        rng = random.Random(7)
        data = json.dumps({"image": base64.b64encode(rng.randbytes(20_000)).decode(), "id": rng.randbytes(16).hex()})
        assert body(standard, data.encode(), "application/json") == data.encode()


class TestTexts:
    def test_the_data_lines_of_one_event_are_one_document(self, standard: Redactor) -> None:
        data = b'event: x\ndata: {"password":\ndata: "hunter2xyPw", "n": 1}\n\ndata: bye\n\n'
        out = body(standard, data, "text/event-stream")
        assert out.startswith(b'event: x\ndata: {"password":\ndata: "REDACTED-PASSWORD-')
        assert out.endswith(b'", "n": 1}\n\ndata: bye\n\n')

    def test_block_strings_of_graphql(self, standard: Redactor) -> None:
        data = b'mutation { login(password: """hunter2xyPw""", n: 2) { id } }'
        out = body(standard, data, "application/graphql")
        assert out.startswith(b'mutation { login(password: """REDACTED-PASSWORD-')
        assert out.endswith(b'""", n: 2) { id } }')

    @pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
    def test_rows_under_names(self, standard: Redactor, mark: str) -> None:
        rows = [["name", "password", "qty"], ["Ada Byron", WORD, "3"], ['"A ""B"" C"', f'"x{mark}y"', "4"]]
        data = "\r\n".join(mark.join(r) for r in rows).encode()
        out = body(standard, data, "text/csv").decode().split("\r\n")
        assert out[0] == mark.join(rows[0])
        first, second = (line.split(mark) for line in out[1:])
        assert (first[1][:18], first[2]) == ("REDACTED-PASSWORD-", "3")
        assert (second[-2][:19], second[-1]) == ('"REDACTED-PASSWORD-', "4")

    @pytest.mark.parametrize(
        "number", ["4111111111111111", "4111111111111111.0", "4.111111111111111e15", "4111111111111111E0"]
    )
    def test_all_spellings_of_a_number_have_one_surrogate(self, standard: Redactor, number: str) -> None:
        out = json.loads(body(standard, b'{"x":%s}' % number.encode(), "application/json"))
        assert out["x"] == json.loads(body(standard, b'{"x":4111111111111111}', "application/json"))["x"]

    def test_a_negative_number(self, standard: Redactor) -> None:
        assert body(standard, b'{"x":-4111111111111111}', "application/json") != b'{"x":-4111111111111111}'

    @pytest.mark.parametrize("deflated", [True, False])
    def test_saml_in_a_redirect(self, standard: Redactor, deflated: bool) -> None:
        xml = f'<Response ID="_1"><NameID>{MAIL}</NameID></Response>'.encode()
        coded = base64.b64encode(zlib.compress(xml)[2:-4] if deflated else xml).decode()
        out = body(standard, f"SAMLResponse={quote(coded)}&RelayState=x".encode(), FORM).decode()
        raw = base64.b64decode(parse_qs(out)["SAMLResponse"][0])
        plain = zlib.decompress(raw, -15) if deflated else raw
        assert plain.startswith(b'<Response ID="_1"><NameID>REDACTED-EMAIL-')
        assert out.endswith("&RelayState=x")
