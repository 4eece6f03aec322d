"""Whatever a tenant types is data: it arrives byte for byte, and nothing else of the manifest moves."""

from __future__ import annotations

import base64
import re

import pytest

from tests.chart.rendering import Renderer, changed, ci_values, named

HOSTILE = {
    "quotes": "\"double\" 'single' `back` \\ backslash",
    "line ends": "one\ntwo\r\nthree\rfour\u2028five\u2029six\x85",
    "yaml document": "x\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: own}\n",
    "yaml values": "y: no, [on, ~, null, 0x1F, !!python/object], *anchor &anchor #comment | >",
    "go template": '{{ .Values.credentials.secret }} {{ fail "caught" }} {{- include "name.site" . -}}',
    "kubelet expansion": "$(DATABASE_PASSWORD) $$(HOME) ${HOME}",
    "shell": "`id`; $(touch /tmp/caught) && rm -rf / # --path=/",
    "helm set syntax": "a=b,c.d[0]={e,f}",
    "html and php": "<script>alert(1)</script><?php system('id'); ?>",
    "sql": "'; DROP TABLE wp_users; -- ",
    "four bytes": "\U0001f6d2 \U0001f469\u200d\U0001f469\u200d\U0001f467 \U00020bb7",
    "right to left": "\u202e\u05d7\u05e0\u05d5\u05ea \u0645\u062a\u062c\u0631\u202c",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f",
    "c1 controls": "".join(map(chr, range(0x80, 0xA0))),
    "byte order marks": "\ufeffshop\ufeff \ufffe \uffff",
    "null": "a\x00b",
    "blanks": "   \t ",
    "looks like a number": "1e+06",
    "looks like base64": "VGVhcG90cyAmIENv",
    "200 characters of four bytes": "\U0001f6d2" * 200,
}
LIMIT = {"title": 200 * 4, "adminEmail": 320}
KEYS = {"title": "title", "adminEmail": "admin-email"}


@pytest.mark.parametrize("field", KEYS)
@pytest.mark.parametrize("what", HOSTILE)
def test_tenant_text_is_data(renderer: Renderer, field: str, what: str) -> None:
    typed = HOSTILE[what].encode()[: LIMIT[field]]
    values = ci_values("minimal")
    encoded = base64.b64encode(typed).decode()
    before, after = renderer.objects(values), renderer.objects(changed(values, f"store.{field}", encoded))
    binary = named(after, "ConfigMap", "storefront-site")["binaryData"]
    assert base64.b64decode(binary[KEYS[field]], validate=True) == typed

    binary[KEYS[field]] = named(before, "ConfigMap", "storefront-site")["binaryData"][KEYS[field]]
    # Its checksum begins a new pod, and has no byte of it.
    checksums = [
        named(each, "Deployment", "storefront")["spec"]["template"]["metadata"]["annotations"]
        for each in (before, after)
    ]
    assert re.fullmatch(r"[0-9a-f]{64}", checksums[1]["checksum/asked"])
    checksums[1]["checksum/asked"] = checksums[0]["checksum/asked"]
    assert after == before
