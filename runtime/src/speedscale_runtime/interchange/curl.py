"""curl: recorded requests as commands of a shell script, and pasted curl commands as requests.

An exported command gives the recorded request: headers that curl would add by itself are taken off, bodies stand as
they are (binary ones as base64 through a pipe), URLs are neither globbed nor squeezed. An imported command is
parsed as a POSIX shell would split it, with the `$'…'` strings that browsers write. Source: curl's manual page.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote, quote_plus, urlsplit

from speedscale_schemas.errors import ConfigError

from .call import HOP_BY_HOP, Call, Report, header, text_of

_ARGUMENT_MAX = 100_000
"""Longest body as an argument; Linux takes 131,072 bytes a word."""

_BY_ITSELF = ("Accept", "User-Agent")
_FLAGS_WITH_VALUE = frozenset(
    {"-o", "--output", "-m", "--max-time", "--connect-timeout", "--retry", "-w", "--write-out", "--cacert", "-E"}
    | {"--cert", "--key", "-x", "--proxy", "--resolve", "-c", "--cookie-jar", "-D", "--dump-header", "--limit-rate"}
    | {"--max-redirs", "--retry-delay", "--tls-max", "-Y", "-y", "-C", "-K", "--config", "--connect-to", "--interface"}
    | {"-t", "-T", "--upload-file", "-r", "--range", "-z", "-P", "-Q", "--ciphers", "--dns-servers", "--noproxy"}
    | {"--trace", "--trace-ascii", "--stderr", "--unix-socket", "--retry-max-time", "--keepalive-time", "--pass"}
    | {"--local-port", "--capath", "--proxy-user", "-U", "--aws-sigv4", "--oauth2-bearer", "--form-string"}
)


def dump(calls: Sequence[Call], name: str, report: Report) -> Mapping[str, bytes]:
    """Write one shell script with a command per call."""
    lines = [
        "#!/bin/sh",
        f"# {''.join(c if c.isprintable() else ' ' for c in name)}: {len(calls)} recorded requests",
        "",
    ]
    for number, call in enumerate(calls, 1):
        lines.append(f"# {number}. {_printable(call.method)} {_printable(urlsplit(call.url).path)}")
        lines += [command(call), ""]
    return {"requests.sh": "\n".join(lines).encode("utf-8", "replace")}


def command(call: Call) -> str:
    """Return the curl command (one shell command, maybe a pipe) that sends a call's request."""
    words = ["curl", "--silent", "--show-error", "--globoff", "--path-as-is"]
    words += ["--head"] if call.method == "HEAD" else ["--request", _quoted(call.method)]
    words.append(_quoted(call.url))
    authority = urlsplit(call.url).netloc.rpartition("@")[2]
    sent = {key.lower() for key, _ in call.headers}
    for key, value in call.headers:
        folded = key.lower()
        if folded in HOP_BY_HOP or (folded == "host" and value == authority):
            continue
        words += ["--header", _quoted(f"{key}: {value}" if value else f"{key};")]
    for key in _BY_ITSELF:
        if key.lower() not in sent:
            words += ["--header", _quoted(f"{key}:")]
    if not call.body:
        return " \\\n  ".join(_lines(words))
    words += ["--header", _quoted("Expect:")]
    if "content-type" not in sent:
        words += ["--header", _quoted("Content-Type:")]
    text = text_of(call.body)
    if text is not None and len(call.body) < _ARGUMENT_MAX and "\r" not in text:
        return " \\\n  ".join([*_lines(words), f"--data-raw {_quoted(text)}"])
    coded = base64.encodebytes(call.body).decode()
    return f"base64 -d <<'BODY' | {' '.join(words)} --data-binary @-\n{coded}BODY"


def _lines(words: list[str]) -> list[str]:
    """Put an option and its value on one line."""
    first, rest = [*words[:5]], words[5:]
    lines = [" ".join(first)]
    while rest:
        width = 2 if rest[0].startswith("--") and rest[0] != "--head" else 1
        lines.append(" ".join(rest[:width]))
        rest = rest[width:]
    return lines


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:200]


def load(data: bytes, source: str, beside: Mapping[str, bytes], report: Report) -> Iterable[tuple[str, Call]]:
    """Yield the requests of all curl commands in a text; ConfigError when there is none or a quote stays open."""
    try:
        text = data.decode("utf-8-sig")
        commands = list(_commands(text))
    except ValueError as error:
        raise ConfigError([f"{source}: cannot be read as shell commands: {error}"]) from None
    found = 0
    for line, words in commands:
        if words[0].rpartition("/")[2] not in ("curl", "curl.exe"):
            if "curl" in words:
                report.add(f"line {line}", "the command's input comes from a pipe: not taken over")
            continue
        found += 1
        for call in _Parser(f"line {line}", report).parse(words[1:]):
            yield f"line {line}", call
    if not found and not report.count:
        raise ConfigError([f"{source}: no curl command found; expected text that begins with curl"])


def _commands(text: str) -> Iterator[tuple[int, list[str]]]:
    """Split a script into commands: at line ends and semicolons outside quotes; comments and continuations undone."""
    words: list[str] = []
    start = line = 1
    for token, kind, at in _tokens(text):
        line = at
        if kind == "end":
            if words:
                yield start, words
            words = []
        else:
            if not words:
                start = line
            words.append(token)
    if words:
        yield start, words


_TOKEN = re.compile(r"(?P<space>(?:[ \t\r]|\\\r?\n)+)|(?P<end>\n|;|&&|\|\||&)|(?P<comment>#[^\n]*)|(?P<pipe>\|)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "E": "\x1b"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|(.))", re.DOTALL)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        match = _TOKEN.match(text, at)
        if match is None:
            token, at = _word(text, at)
            yield token, "word", line
            continue
        at = match.end()
        if match.lastgroup == "end":
            yield "", "end", line
        elif match.lastgroup == "pipe":
            yield "|", "word", line


def _word(text: str, at: int) -> tuple[str, int]:
    """Return one shell word and where it ends; ValueError when a quote is not closed."""
    out: list[str] = []
    while at < len(text):
        c = text[at]
        if c in " \t\r\n;|" or (c == "&" and not out):
            break
        if c == "'":
            end = text.find("'", at + 1)
            if end < 0:
                raise ValueError(f"a quote is not closed in line {text.count(chr(10), 0, at) + 1}")
            out.append(text[at + 1 : end])
            at = end + 1
        elif text.startswith("$'", at):
            inside, at = _enclosed(_ANSI, text, at + 2)
            out.append(_ESCAPE.sub(_unescape, inside))
        elif c == '"':
            inside, at = _enclosed(_DOUBLE, text, at + 1)
            out.append(re.sub(r'\\([$`"\\\n])', lambda m: "" if m[1] == "\n" else m[1], inside))
        elif c == "\\" and at + 1 < len(text):
            if text[at + 1] != "\n":
                out.append(text[at + 1])
            at += 2
        else:
            out.append(c)
            at += 1
    return "".join(out), at


_ANSI = re.compile(r"((?:[^'\\]|\\.)*)'", re.DOTALL)
_DOUBLE = re.compile(r'((?:[^"\\]|\\.)*)"', re.DOTALL)


def _enclosed(quoted: re.Pattern[str], text: str, at: int) -> tuple[str, int]:
    match = quoted.match(text, at)
    if match is None:
        raise ValueError(f"a quote is not closed in line {text.count(chr(10), 0, at) + 1}")
    return match[1], match.end()


def _unescape(match: re.Match[str]) -> str:
    if match[2] or match[3]:
        return chr(int(match[2] or match[3], 16))
    if match[1] or match[4]:  # a byte, not a character
        byte = int(match[1], 16) if match[1] else int(match[4], 8) & 0xFF
        return bytes([byte]).decode("utf-8", "surrogateescape")
    return _ESCAPES.get(match[5], match[5] if match[5] in "\\'\"?" else "\\" + match[5])


class _Parser:
    """The options of one curl command."""

    def __init__(self, where: str, report: Report) -> None:
        self._where, self._report = where, report
        self._method = ""
        self._urls: list[str] = []
        self._headers: list[tuple[str, str]] = []
        self._data: list[str] = []
        self._get = self._json = self._has_data = False

    def parse(self, words: list[str]) -> Iterator[Call]:
        """Yield one call per URL."""
        queue = [part for word in words for part in self._split(word)]
        queue.reverse()
        while queue:
            word = queue.pop()
            if word == "|":
                break
            if word.startswith("-") and len(word) > 1:
                self._option(word, queue)
            else:
                self._urls.append(word)
        if not self._urls:
            self._report.add(self._where, "the command has no URL")
        for url in self._urls:
            yield self._call(url)

    def _split(self, word: str) -> list[str]:
        """Take `--option=value` and `-XPOST` apart, as curl does with short options."""
        if re.match(r"--[\w-]+=", word):
            option, _, value = word.partition("=")
            return [option, value]
        if re.match(r"-[XHdAbeuFom].", word):
            return [word[:2], word[2:]]
        return [word]

    def _option(self, word: str, queue: list[str]) -> None:
        def value() -> str:
            return queue.pop() if queue else ""

        if word in ("-X", "--request"):
            self._method = value()
        elif word in ("-H", "--header"):
            self._header(value())
        elif word in ("-d", "--data", "--data-ascii", "--data-binary", "--data-raw", "--data-urlencode", "--json"):
            self._take_data(word, value())
        elif word in ("-u", "--user"):
            self._headers.append(("Authorization", "Basic " + base64.b64encode(value().encode()).decode()))
        elif word in ("-b", "--cookie"):
            self._cookie(value())
        elif word in ("-A", "--user-agent"):
            self._headers.append(("User-Agent", value()))
        elif word in ("-e", "--referer"):
            self._headers.append(("Referer", value()))
        elif word in ("-I", "--head"):
            self._method = self._method or "HEAD"
        elif word in ("-G", "--get"):
            self._get = True
        elif word == "--url":
            self._urls.append(value())
        elif word == "--compressed":
            self._headers.append(("Accept-Encoding", "deflate, gzip, br, zstd"))
        elif word in ("-F", "--form"):
            self._report.add(
                self._where, f"form field {value().partition('=')[0]!r}: multipart forms are not taken over"
            )
        elif word in _FLAGS_WITH_VALUE:
            value()
            if word in ("-T", "--upload-file", "-K", "--config", "--aws-sigv4"):
                self._report.add(self._where, f"option {word} is not taken over")

    def _header(self, text: str) -> None:
        name, colon, value = text.partition(":")
        if colon and value.strip():
            self._headers.append((name.strip(), value.strip()))
        elif text.endswith(";") and not colon:
            self._headers.append((text[:-1].strip(), ""))
        elif text.startswith("@"):
            self._report.add(self._where, f"headers from the file {text[1:]} are not taken over")

    def _cookie(self, text: str) -> None:
        if "=" in text:
            self._headers.append(("Cookie", text))
        else:
            self._report.add(self._where, f"cookies from the file {text} are not taken over")

    def _take_data(self, word: str, text: str) -> None:
        self._has_data = True
        if text.startswith("@") and word not in ("--data-raw", "--data-urlencode"):
            self._report.add(self._where, f"the body is in the file {text[1:]}, which is not read")
            return
        if word == "--data-urlencode":
            name, equals, value = text.partition("=")
            if "@" in name:
                self._report.add(self._where, f"the body is in the file {name.partition('@')[2]}, which is not read")
                return
            text = (f"{name}=" if name else "") + quote_plus(value) if equals else quote_plus(text)
        self._json = self._json or word == "--json"
        self._data.append(text)

    def _call(self, url: str) -> Call:
        if "://" not in url:
            url = f"http://{url}"
        body = ("" if self._json else "&").join(self._data)
        if self._get and body:
            url += ("&" if "?" in url else "?") + body
            body = ""
        headers = tuple(self._headers)
        if self._has_data and not self._get and not header(headers, "content-type"):
            kind = "application/json" if self._json else "application/x-www-form-urlencoded"
            headers = (*headers, ("Content-Type", kind))
        if self._json and not header(headers, "accept"):
            headers = (*headers, ("Accept", "application/json"))
        method = self._method or ("POST" if self._has_data and not self._get else "GET")
        return Call(method, quote(url, safe=":/?#[]@!$&'()*+,;=%~"), headers, body.encode("utf-8", "surrogateescape"))
