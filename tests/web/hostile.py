"""Texts that want to be more than text, for every field that a page shows."""

HOSTILE = (
    "<script>alert(1)</script>",
    "</title></bdi></code></pre><img src=x onerror=alert(1)>",
    "\" onmouseover=alert(1) x=\"' onclick=alert(1) '",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}{{ page }}",
    "&lt;script&gt; &amp;quot; &#x3c;b&#x3e;",
    "\u202egpj.exe\u2066\u2069",
    "a\u200b\ufe0fb\x1b[2J",
    "<!-- --> ]]> <svg/onload=alert(1)>",
    "</textarea><style>*{display:none}</style>",
)
