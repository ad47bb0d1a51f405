"""Prometheus metrics of the server: requests by route, never by tenant.

Put here: counters and times of requests. Keep out: who asked and what for.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

from finops_pipeline import clock
from finops_pipeline.serve.api.request_record import RequestRecord

_METHODS = frozenset(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"))
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class RequestMetrics:
    """Counts the requests of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "finops_http_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "finops_http_request_seconds",
            "Time from the first to the last byte.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._running = Gauge(
            "finops_http_requests_running",
            "Requests that are being answered.",
            registry=self._registry,
        )

    def begin(self) -> None:
        """Count a request that has begun."""
        self._running.inc()

    def end(self, record: RequestRecord, route: str) -> None:
        """Count a request that has ended."""
        self._running.dec()
        method = record.method if record.method in _METHODS else "other"
        self._requests.labels(method, route, str(record.status)).inc()
        self._seconds.labels(route).observe(clock.stopwatch() - record.started)

    def response(self) -> Response:
        """Return all metrics in Prometheus's text format."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
