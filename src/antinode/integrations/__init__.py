"""Integrations with frameworks: one module each, on the public API alone.

`asgi` (Starlette, FastAPI, Litestar), `wsgi`, `aiohttp`, `flask`, `django`, `celery`, `rq`, `dramatiq`,
`sqlalchemy`: see docs/integrations.md.
"""
