"""What the environment says of how a service runs: threads, forks, allocators, platforms that freeze."""

from __future__ import annotations

import importlib.util
import multiprocessing
import sys
from collections.abc import Iterator, Mapping
from typing import Final

from antinode.cli.doctor.findings import DoctorFinding

_SERVERLESS: Final = {
    "AWS_LAMBDA_FUNCTION_NAME": "AWS Lambda",
    "FUNCTIONS_WORKER_RUNTIME": "Azure Functions",
    "FUNCTION_TARGET": "Google Cloud Functions",
    "K_SERVICE": "Google Cloud Run",
    "VERCEL": "Vercel",
}
_SLOW: Final = {
    "PYTHONDEVMODE": "development mode",
    "PYTHONTRACEMALLOC": "the tracing of memory",
    "PYTHONASYNCIODEBUG": "asyncio's debug mode",
}
_FEW_FILES: Final = 256


def check_surroundings(environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    """Findings about this environment. A service that is started in another one may meet others."""
    yield _threads(environ)
    yield _forks(environ)
    if "gevent" in environ.get("GUNICORN_CMD_ARGS", "") or importlib.util.find_spec("gevent"):
        yield DoctorFinding(
            "gevent",
            "ok",
            "installed; a service on it has to call gevent.monkey.patch_all() before its first event",
        )
    yield _interpreter(environ)
    yield from _files()
    yield _serverless(environ)


def _threads(environ: Mapping[str, str]) -> DoctorFinding:
    options = {name.upper() for name in environ if name.upper().startswith("UWSGI_")}
    if options and not options & {"UWSGI_ENABLE_THREADS", "UWSGI_THREADS"}:
        return DoctorFinding(
            "threads",
            "warning",
            "uWSGI is configured by this environment, and its threads are not switched on in it",
            "Without them nothing is sent in the background: set UWSGI_ENABLE_THREADS=1.",
        )
    if options:
        return DoctorFinding("threads", "ok", "uWSGI runs with them")
    return DoctorFinding(
        "threads", "ok", "under uWSGI, start it with --enable-threads; no other server needs anything"
    )


def _forks(environ: Mapping[str, str]) -> DoctorFinding:
    method = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
    has_preload = "--preload" in environ.get("GUNICORN_CMD_ARGS", "")
    preload = ", under gunicorn's --preload, too" if has_preload else ""
    return DoctorFinding(
        "forks",
        "ok",
        f"multiprocessing starts processes by {method}; a forked child starts clean{preload}",
    )


def _interpreter(environ: Mapping[str, str]) -> DoctorFinding:
    found = [what for name, what in _SLOW.items() if environ.get(name, "0") not in {"", "0"}]
    allocator = environ.get("PYTHONMALLOC", "default")
    if allocator not in {"default", "pymalloc", "mimalloc"}:
        found.append(f"the allocator {allocator[:40]!r}")
    if not found:
        return DoctorFinding("interpreter", "ok", "no setting of this environment slows it down")
    return DoctorFinding(
        "interpreter",
        "warning",
        f"slowed down by {', '.join(found)}",
        "Good for development; in production unset "
        f"{', '.join(name for name in (*_SLOW, 'PYTHONMALLOC') if name in environ)}.",
    )


def _files() -> Iterator[DoctorFinding]:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < _FEW_FILES:
        yield DoctorFinding(
            "open files",
            "warning",
            f"a process may have {soft} at once",
            "Connections and the spool need some: raise it with ulimit -n.",
        )


def _serverless(environ: Mapping[str, str]) -> DoctorFinding:
    name = next((what for marker, what in _SERVERLESS.items() if marker in environ), None)
    if name is None:
        return DoctorFinding("platform", "ok", f"{sys.platform}, no platform that freezes its processes")
    return DoctorFinding(
        "platform",
        "warning",
        f"{name}, which freezes a process when its function returns",
        "Write @antinode.flushing(timeout=2) above the handler, or call client.flush(2) before it returns.",
    )
