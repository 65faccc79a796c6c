"""The certificates of ``tests/data/temporal/tls``; ``python -m tests.engines.temporal.certificates`` makes them anew.

For tests alone, valid for a hundred years (but for the expired one); the authorities' keys are thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DATA = Path(__file__).parents[2] / "data" / "temporal" / "tls"
_SINCE, _UNTIL, _EXPIRED = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2120, 2021))


@dataclass
class Issued:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, name: str, *, key: bool = True) -> None:
        pem = serialization.Encoding.PEM
        (DATA / f"{name}.pem").write_bytes(self.certificate.public_bytes(pem))
        if key:
            plain, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            (DATA / f"{name}.key").write_bytes(self.key.private_bytes(pem, plain, none))


def issue(name: str, by: Issued | None = None, *, until: datetime = _UNTIL, client: bool = False) -> Issued:
    """A certificate; without ``by`` that of an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_SINCE)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if by is not None:
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        names = [x509.DNSName(name)]
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return Issued(made.sign(key if by is None else by.key, hashes.SHA256()), key)


def main() -> None:
    authority, other = issue("Playhead test authority"), issue("Another test authority")
    authority.write("ca", key=False)
    other.write("other_ca", key=False)
    issue("server.test", authority).write("server")
    issue("server.test", authority, until=_EXPIRED).write("expired")
    issue("client.test", authority, client=True).write("client")
    issue("client.test", other, client=True).write("stranger")


if __name__ == "__main__":
    main()
