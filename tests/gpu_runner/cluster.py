"""A real Dask cluster on loopback, with TLS under a CA of its own: a scheduler and two worker processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cluster:
    """Where it is and how it is entered."""

    address: str
    ca: Path
    certificate: Path
    key: Path

    @property
    def environment(self) -> dict[str, str]:
        """Dask's own variables for TLS."""
        names = {"CA_FILE": self.ca, "CLIENT__CERT": self.certificate, "CLIENT__KEY": self.key}
        return {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(path) for name, path in names.items()}


def make_authority(folder: Path) -> tuple[Path, Path, Path]:
    """A CA, and one certificate under it for everybody on loopback: files of the CA, certificate and key."""
    files = folder / "ca.pem", folder / "certificate.pem", folder / "key.pem"
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("assessor test CA", "assessor test")]
    pems = []
    for number in range(2):
        builder = (
            x509.CertificateBuilder().subject_name(names[number]).issuer_name(names[0]).public_key(keys[number].public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=number == 0, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )  # fmt: skip
        pems.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key = keys[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    for file, data in zip(files, (*pems, key), strict=True):
        file.write_bytes(data)
    return files


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Starts it, waits for both workers, and ends it."""
    ca, certificate, key = make_authority(folder)
    tls = ["--tls-ca-file", str(ca), "--tls-cert", str(certificate), "--tls-key", str(key)]
    place = folder / "scheduler.json"
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True", "TMPDIR": str(folder),
    }  # fmt: skip
    dask = [sys.executable, "-W", "ignore", "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--protocol", "tls",
                 "--scheduler-file", str(place), *tls]  # fmt: skip
    worker = [*dask, "worker", "--scheduler-file", str(place), "--nworkers", "2", "--nthreads", "1", "--no-dashboard",
              "--host", "127.0.0.1", "--protocol", "tls", "--memory-limit", "0",
              "--local-directory", str(folder), *tls]  # fmt: skip
    with (folder / "log").open("w") as log:
        processes = [subprocess.Popen(command, env=environment, stdout=log, stderr=log) for command in (scheduler, worker)]
        try:
            deadline = time.monotonic() + 60
            while (folder / "log").read_text().count("Registered to:") < 2:
                assert time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
                time.sleep(0.1)
            yield Cluster(json.loads(place.read_text())["address"], ca, certificate, key)
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
