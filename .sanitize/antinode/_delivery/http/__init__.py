"""Requests on the wire: connections, proxies, TLS, compression."""
