"""Django: a client from the settings, and a context for each request.

INSTALLED_APPS = [..., "antinode.integrations.django"]
MIDDLEWARE = [..., "django.contrib.auth.middleware.AuthenticationMiddleware",
              "antinode.integrations.django.middleware.antinode_middleware"]
ANTINODE = {"api_key": "API_KEY", "capture": ["path", "method"]}
"""
