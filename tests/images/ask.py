"""Sends one HTTP request to 127.0.0.1:80, as standard input describes it, and prints the answer as JSON."""

from __future__ import annotations

import http.client
import json
import sys
from urllib.parse import urlencode

wanted = json.load(sys.stdin)
headers = {"Host": wanted["host"], "Connection": "close", **wanted["headers"]}
body = None
if wanted["form"] is not None:
    body = urlencode(wanted["form"])
    headers["Content-Type"] = "application/x-www-form-urlencoded"
connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=wanted["seconds"])
try:
    connection.request(wanted["method"] or ("GET" if body is None else "POST"), wanted["path"], body, headers)
    answer = connection.getresponse()
    found = {
        "status": answer.status,
        "headers": {name.lower(): value for name, value in answer.getheaders()},
        "cookies": answer.msg.get_all("Set-Cookie") or [],
        "body": answer.read().decode(errors="replace"),
    }
except OSError as error:
    found = {"status": 0, "headers": {}, "cookies": [], "body": str(error)}
sys.stdout.write(json.dumps(found))
