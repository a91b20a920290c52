"""Integrations with frameworks: one module each, on the public API alone.

`antinode.integrations.asgi` (Starlette, FastAPI, Litestar), `.wsgi`, `.flask`. See docs/integrations.md.
"""
