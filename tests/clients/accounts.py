"""Makes accounts with keys of every kind: a file for `venue serve --account`, and the secrets for clients.

usage: accounts.py DIRECTORY
"""

import json
import secrets
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa


def pair(private):
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return secret.decode(), public.decode()


def main(directory):
    rows, keys = [], {}
    for name in ["hmac", "ed25519", "rsa", "counterparty"]:
        api_key = name + secrets.token_hex(24)
        if name == "ed25519":
            secret, public = pair(ed25519.Ed25519PrivateKey.generate())
        elif name == "rsa":
            secret, public = pair(rsa.generate_private_key(65537, 2048))
        else:
            secret, public = secrets.token_hex(32), None
        shown = f'secret = "{secret}"' if public is None else f'public_key = """{public}"""'
        rows.append(
            f'[[account]]\nname = "{name}"\nbalances = {{ USDT = "1000000", BTC = "10", ETH = "100" }}\n'
            f'[[account.key]]\napi_key = "{api_key}"\n{shown}\n'
        )
        keys[name] = {"api_key": api_key, "secret": secret}
    (directory / "accounts.toml").write_text("\n".join(rows))
    (directory / "keys.json").write_text(json.dumps(keys))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
