"""The pages that people see: typed page values in, HTML out.

Here: templates, the formats of numbers and times, static files, the response headers that pages
need. Not here: routes, queries, the store, the clock. The tracker looks things up, fills a page
from `pages.py` and hands it to a `Renderer`.
"""
