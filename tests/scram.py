"""SCRAM-SHA-256's other side, written after RFC 5802 and nothing of ours."""

import base64
import hashlib
import hmac


class Client:
    """begin(), then answer() to the challenge; expected is what only the real server can say."""

    def __init__(self, name: str, password: str, *, gs2: bytes = b"n,,", endpoint: bytes = b"") -> None:
        self.password, self.gs2, self.endpoint = password.encode(), gs2, endpoint
        self.bare = b"n=%b,r=fyko+d2lbbFgONRv9qkxdawL" % name.replace("=", "=3D").replace(",", "=2C").encode()
        self.expected = b""

    def begin(self) -> bytes:
        return self.gs2 + self.bare

    def answer(self, challenge: bytes) -> bytes:
        nonce, salt, iterations = (word[2:] for word in challenge.split(b","))
        assert nonce.startswith(b"fyko+d2lbbFgONRv9qkxdawL")
        assert len(nonce) >= 24 + 16
        rounds = int(iterations)
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(salt), rounds)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        unproven = b"c=%b,r=%b" % (base64.b64encode(self.gs2 + self.endpoint), nonce)
        message = b"%b,%b,%b" % (self.bare, challenge, unproven)
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        self.expected = b"v=" + base64.b64encode(hmac.digest(server_key, message, "sha256"))
        proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
        return b"%b,p=%b" % (unproven, base64.b64encode(proof))
