"""Where telemetry goes: Application Insights, by Microsoft's exporter, from threads of its own.

Everything here is heavy to import and blocks: it is imported and called in a thread, before the first message is taken.
"""

import os
import socket

from azure.monitor.opentelemetry.exporter import (
    ApplicationInsightsSampler,
    AzureMonitorMetricExporter,
    AzureMonitorTraceExporter,
)
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from proactive.settings import Settings

# The exporter would tell Microsoft how it is used, have Microsoft change its ways from afar, and count itself. Where an
# operator wants that, a setting of this name says so.
_QUIET = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
)


def start(settings: Settings) -> None:
    """Have spans and counts exported from now on; those before are lost.

    The share of sends that are traced is decided by the trace's id, so that of a send all spans are kept or none.
    The exporter itself reads `APPLICATIONINSIGHTS_AUTHENTICATION_STRING`, with which telemetry is sent as an identity.
    Raises `ValueError` for a connection string that is none.
    """
    for name in _QUIET:
        os.environ.setdefault(name, "true")
    where = {"connection_string": settings.insights}
    resource = Resource.create(
        {
            "service.name": os.environ.get("WEBSITE_SITE_NAME", "proactive"),
            "service.instance.id": os.environ.get("WEBSITE_INSTANCE_ID") or socket.gethostname(),
        }
    )
    traces = TracerProvider(sampler=ApplicationInsightsSampler(settings.traced_share), resource=resource)
    traces.add_span_processor(BatchSpanProcessor(AzureMonitorTraceExporter(**where)))
    trace.set_tracer_provider(traces)
    reader = PeriodicExportingMetricReader(AzureMonitorMetricExporter(**where))
    metrics.set_meter_provider(MeterProvider([reader], resource=resource))
