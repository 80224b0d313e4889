# SPDX-License-Identifier: MIT
"""Certificates of every kind, made on the spot: no key is kept anywhere."""
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
HERE = ("localhost", "127.0.0.1")


def now():
    return datetime.datetime.utcnow()


def alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Identity:
    """A key and its certificate, signed by `issuer` (None: by itself). `days`: from when to when,
    counted from now. `names`: whom a server may be."""

    def __init__(self, name, issuer=None, *, is_authority=False, days=(-1, 90), usage=None,
                 names=(), unit=None):
        self.key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test")]
        parts += [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit)] if unit else []
        parts += [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        subject = x509.Name(parts)
        issuer = issuer or self
        made = x509.CertificateBuilder(
            subject_name=subject,
            issuer_name=subject if issuer is self else issuer.certificate.subject,
            public_key=self.key.public_key(), serial_number=x509.random_serial_number(),
            not_valid_before=now() + days[0] * DAY, not_valid_after=now() + days[1] * DAY)
        made = made.add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        if usage:
            made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            made = made.add_extension(
                x509.SubjectAlternativeName([alternative(one) for one in names]), critical=False)
        self.certificate = made.sign(issuer.key, hashes.SHA256())

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM,
                                      serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption())

    def write(self, directory, name, *chain):
        """Its files: (certificate, key), with `chain` behind the certificate."""
        certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
        certificate.write_bytes(self.pem + b"".join(one.pem for one in chain))
        key.write_bytes(self.key_pem)
        key.chmod(0o600)
        return certificate, key

    def crl(self, *revoked, days=(-1, 90)):
        """Whom of its clients it has revoked, as PEM."""
        made = x509.CertificateRevocationListBuilder(
            issuer_name=self.certificate.subject, last_update=now() + days[0] * DAY,
            next_update=now() + days[1] * DAY)
        for one in revoked:
            made = made.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
                .revocation_date(now() - DAY).build())
        return made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def authority(name="Test CA", issuer=None, **more):
    return Identity(name, issuer, is_authority=True, **more)
