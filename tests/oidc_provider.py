"""A real OpenID Connect provider on the loopback: whoever names an address in its form is signed in as that person."""

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "lungs", "client-secret"


@contextmanager
def running_provider(roles: dict[str, list[str]]) -> Iterator[str]:
    """Start it; gives its issuer.

    Args:
        roles: By e-mail address, what the claim ``roles`` says.
    """
    key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
    codes: dict[str, dict[str, str]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(address.query).items()}
            if address.path == "/.well-known/openid-configuration":
                self.answer(
                    {
                        "issuer": issuer,
                        "authorization_endpoint": f"{issuer}/authorize",
                        "token_endpoint": f"{issuer}/token",
                        "jwks_uri": f"{issuer}/keys",
                        "response_types_supported": ["code"],
                        "subject_types_supported": ["public"],
                        "id_token_signing_alg_values_supported": ["RS256"],
                        "code_challenge_methods_supported": ["S256"],
                    }
                )
            elif address.path == "/keys":
                self.answer({"keys": [key.as_dict(private=False)]})
            elif address.path == "/authorize" and "email" in asked:
                code = secrets.token_hex(8)
                codes[code] = asked
                self.send_response(302)
                self.send_header(
                    "Location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
                )
                self.end_headers()
            elif address.path == "/authorize":
                hidden = "".join(
                    f'<input type="hidden" name="{name}" value="{value}">' for name, value in asked.items()
                )
                form = f'<form>{hidden}<label>Address <input name="email"></label><button>Go on</button></form>'
                self.send(200, "text/html", form.encode())
            else:
                self.send(404, "text/plain", b"")

        def do_POST(self) -> None:
            body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            asked = codes.pop(body["code"][0])
            email, now = asked["email"], int(time.time())
            claims = {
                "iss": issuer,
                "aud": CLIENT,
                "sub": email,
                "email": email,
                "email_verified": True,
                "iat": now,
                "exp": now + 600,
            }
            claims |= {"nonce": asked.get("nonce", ""), "roles": roles.get(email, [])}
            token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
            self.answer({"access_token": "x", "token_type": "Bearer", "expires_in": 600, "id_token": token})

        def answer(self, content: dict[str, object]) -> None:
            self.send(200, "application/json", json.dumps(content).encode())

        def send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
