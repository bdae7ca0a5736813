"""botbuilder's `ConnectorClient`, one for all messages, on 64 threads: msrest's synchronous client keeps connections.

No token is fetched: its credentials have no app id, botbuilder's own way of switching authentication off.
"""

from botbuilder.schema import Activity
from botframework.connector import ConnectorClient
from botframework.connector.auth import MicrosoftAppCredentials

from local.bench.peers.loop import Job, read_job, run_threads

_THREADS = 64


def _main(job: Job) -> None:
    client = ConnectorClient(MicrosoftAppCredentials.empty(), base_url=job.service_url)

    def send(conversation: str) -> None:
        activity = Activity(type="message", text=job.text, text_format="markdown")
        client.conversations.send_to_conversation(conversation, activity)

    run_threads(job, send, _THREADS)


if __name__ == "__main__":
    _main(read_job())
