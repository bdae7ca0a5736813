"""Telemetry is for operators; the service does its work whatever becomes of it."""

from pathlib import Path

import pytest

from local.insights import InsightsStandIn
from tests.stack import Stack, ids


async def one_send(settings: dict[str, str]) -> list[str]:
    """Deliver a message on a stack with these settings; return what was logged."""
    async with Stack.running(settings=settings) as stack:
        people = await stack.join(1)
        assert (await stack.deliver(ids(people))).status == 200
        child = stack.hosts[0].child
    return list(child.tail)


@pytest.mark.parametrize(
    "connection",
    ["nonsense", "InstrumentationKey=00000000-0000-0000-0000-000000000001;IngestionEndpoint=http://127.0.0.1:9/"],
)
async def test_where_telemetry_goes_nowhere_messages_are_delivered_all_the_same(
    connection: str, tmp_path: Path
) -> None:
    # What cannot be sent the exporter keeps on disk.
    lines = await one_send({"APPLICATIONINSIGHTS_CONNECTION_STRING": connection, "TMPDIR": str(tmp_path)})

    assert ("telemetry is not exported" in "\n".join(lines)) == (connection == "nonsense")


async def test_a_share_of_nothing_leaves_the_counts_and_no_spans() -> None:
    async with InsightsStandIn() as insights:
        await one_send(
            {
                "APPLICATIONINSIGHTS_CONNECTION_STRING": insights.connection_string,
                "OTEL_METRIC_EXPORT_INTERVAL": "500",
                "PROACTIVE_TRACED_SHARE": "0",
            }
        )

    assert insights.total("proactive.sends.accepted") == 1
    assert insights.spans() == []
