"""The tracker's HTTP surface: the API under /api/v1 and the pages for people.

Handlers translate between HTTP and the services; they decide nothing.
"""
