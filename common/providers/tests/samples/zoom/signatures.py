"""Signs webhooks as Zoom does, with nothing but the standard library, and prints them as JSON.

`python3 signatures.py > signatures.json` makes the file beside this script again. The tests of the signature read it, so
that what we check was signed by a program that shares no line with ours.
"""

import hashlib
import hmac
import json

BODIES = [
    '{"event":"recording.completed","event_ts":1795996800123,"payload":{"account_id":"AAA","object":{"uuid":"a=="}}}',
    '{ "event": "endpoint.url_validation",\n  "payload": { "plainToken": "qgg8vlvZRS6UYooatFL8Aw" } }',
    '{"event":"recording.completed","payload":{"object":{"topic":"R\u00e9union \u2013 \U0001f600 \\/ \\u00e9"}}}',
    "",
]


def mac(secret, text):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


vectors = []
for number, body in enumerate(BODIES):
    secret = ["Kx2fT0bQRlS8vU3cWm9YdA", "short", "\u00fcmlaut secret", "a" * 100][number]
    timestamp = str(1795996800 + number)
    token = ["qgg8vlvZRS6UYooatFL8Aw", "abc", "A_b-9", "0"][number]
    vectors.append(
        {
            "secret": secret,
            "timestamp": timestamp,
            "body": body,
            "signature": "v0=" + mac(secret, f"v0:{timestamp}:{body}"),
            "plain_token": token,
            "encrypted_token": mac(secret, token),
        }
    )
print(json.dumps(vectors, indent=1))
