"""Models that come as an archive from an https address, such as Argos's packages: from a server of the test's own."""

from __future__ import annotations

import io
import ssl
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from manifests.errors import EngineUnavailable
from tasks.engines import fetching
from tasks.engines.models import Model


def archive() -> bytes:
    """A package of Argos's form, and so large that it can break off."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("en_es/metadata.json", '{"from_code": "en", "to_code": "es"}')
        packed.writestr("en_es/sentencepiece.model", b"pieces")
        packed.writestr("en_es/model/model.bin", bytes(range(256)) * 20_000)
    return made.getvalue()


@dataclass
class Publisher:
    """Gives one file, from any byte on where it `resumes`; so many answers break off half way."""

    data: bytes = field(default_factory=archive)
    breaks: int = 0
    resumes: bool = True
    status: int = 200
    kind: str = "application/octet-stream"
    asked: list[str] = field(default_factory=list)
    """The ranges."""
    url: str = ""

    def handler(publisher) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range", "")
                publisher.asked.append(wanted)
                first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and publisher.resumes else 0
                body = publisher.data[first:]
                self.send_response(416 if first and not body else 206 if first else publisher.status)
                self.send_header("Content-Type", publisher.kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if publisher.breaks:
                    publisher.breaks -= 1
                    body = body[: len(body) // 2]
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """On loopback, with a certificate that only this test trusts."""
    certificate = signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    served = Publisher()
    server = ThreadingHTTPServer(("127.0.0.1", 0), served.handler())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    served.url = f"https://localhost:{server.server_address[1]}/translate-en_es-1_0.argosmodel"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield served
    server.shutdown()
    server.server_close()


def signed(folder: Path) -> Path:
    """A self-signed certificate for localhost, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def model(publisher: Publisher) -> Model:
    files = ("metadata.json", "model/model.bin", "sentencepiece.model|bpe.model")
    return Model("argos/en_es", files, "MIT", commercial=True, source=publisher.url)


def test_an_archive_is_unpacked_without_its_outermost_folder_and_noted(publisher: Publisher, tmp_path: Path) -> None:
    """Whole by what was noted; the archive itself is not kept."""
    folder = tmp_path / "models/argos/en_es"
    receipt = fetching.pull(model(publisher), folder)
    assert sorted(receipt.files) == ["metadata.json", "model/model.bin", "sentencepiece.model"]
    assert receipt.source == publisher.url and len(receipt.revision) == 64
    assert (folder / "model/model.bin").read_bytes() == bytes(range(256)) * 20_000
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == [".dubflow.json"]
    assert fetching.faults(model(publisher), folder) == ()


def test_what_broke_off_goes_on_where_it_stopped(publisher: Publisher, tmp_path: Path) -> None:
    """In the same command, and in the next one after more breaks than one puts up with."""
    publisher.breaks = 4
    with pytest.raises(EngineUnavailable, match="dub models pull argos/en_es goes on where it stopped"):
        fetching.pull(model(publisher), tmp_path / "it")
    fetching.pull(model(publisher), tmp_path / "it")
    starts = [int(asked.removeprefix("bytes=").rstrip("-") or 0) for asked in publisher.asked]
    assert starts == sorted(set(starts)) and len(starts) == 5
    assert fetching.faults(model(publisher), tmp_path / "it") == ()


def test_a_server_that_cannot_go_on_gives_it_all_again(publisher: Publisher, tmp_path: Path) -> None:
    """And nothing is written twice over."""
    publisher.breaks, publisher.resumes = 1, False
    fetching.pull(model(publisher), tmp_path / "it")
    assert (tmp_path / "it/model/model.bin").stat().st_size == 256 * 20_000


def test_a_page_in_place_of_an_archive_is_told_and_not_kept(publisher: Publisher, tmp_path: Path) -> None:
    """Such as a proxy's: the next command begins anew."""
    whole = publisher.data
    publisher.data = b"<html>Sign in</html>"
    with pytest.raises(EngineUnavailable, match="is no archive, or did not arrive whole"):
        fetching.pull(model(publisher), tmp_path / "it")
    publisher.data = whole
    fetching.pull(model(publisher), tmp_path / "it")


def test_a_page_is_not_taken_for_weights(publisher: Publisher, tmp_path: Path) -> None:
    """What says of itself that it is a page is not kept, whatever it was asked for."""
    publisher.kind, publisher.data = "text/html; charset=utf-8", b"<html>Sign in</html>"
    with pytest.raises(EngineUnavailable, match=r"answered with a page, not with the model\..*dub models pull hdemucs"):
        fetching.pull(weights(publisher), tmp_path / "hdemucs")
    assert not list((tmp_path / "hdemucs").glob("*"))


def test_a_single_file_is_fetched_as_it_is(publisher: Publisher, tmp_path: Path) -> None:
    """PyTorch's weights are an archive too, which nobody unpacks."""
    publisher.breaks = 1
    receipt = fetching.pull(weights(publisher), tmp_path / "hdemucs")
    assert (tmp_path / "hdemucs/translate-en_es-1_0.argosmodel").read_bytes() == publisher.data
    assert list(receipt.files) == ["translate-en_es-1_0.argosmodel"]
    assert fetching.faults(weights(publisher), tmp_path / "hdemucs") == ()


def weights(publisher: Publisher) -> Model:
    files = (f"other.pt|{publisher.url.rpartition('/')[2]}",)
    return Model("hdemucs", files, "MIT", commercial=True, source=publisher.url)


def test_an_address_with_nothing_behind_it_is_told_at_once(publisher: Publisher, tmp_path: Path) -> None:
    """Asked for once: another try finds no more."""
    publisher.status = 404
    with pytest.raises(EngineUnavailable, match=r"could not be fetched from https://localhost.*404"):
        fetching.pull(model(publisher), tmp_path / "it")
    assert len(publisher.asked) == 1


def test_a_certificate_that_nobody_trusts_is_not_trusted(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stands between is found out."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(EngineUnavailable, match="could not be fetched"):
        fetching.pull(model(publisher), tmp_path / "it")
    assert publisher.asked == []
