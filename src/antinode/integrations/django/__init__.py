"""Django: a client from the settings, and a context for each request.

INSTALLED_APPS = [..., "antinode.integrations.django"]
MIDDLEWARE = [..., "django.contrib.auth.middleware.AuthenticationMiddleware",
              "antinode.integrations.django.middleware.antinode_middleware"]
ANTINODE = {"api_key": "API_KEY", "capture": ["path", "method"]}

`log_on_commit` logs an event when the transaction commits.
"""

from antinode.integrations.django.on_commit import log_on_commit

__all__ = ["log_on_commit"]
