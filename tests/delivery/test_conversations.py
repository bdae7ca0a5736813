"""Who is known: monotone by the activities' own times, and found with far fewer calls than there are people."""

import asyncio
import uuid

import pytest

from proactive.service import Service
from proactive.settings import Bot, Settings, StorageAccount
from proactive.store.conversations import Conversation
from tests.delivery.conftest import Clock


@pytest.fixture
async def service(storage: str, clock: Clock):
    settings = Settings(storage=StorageAccount(connection_string=storage), bots=(Bot("b"),), local=True)
    made = Service(settings, clock=clock)
    yield made
    await made.close()


@pytest.fixture
def bot() -> str:
    return f"bot-{uuid.uuid4().hex[:8]}"


def counted(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every call of storage."""
    calls: list[str] = []
    real = service.account._call

    async def call(*args, **kwargs):
        calls.append("call")
        return await real(*args, **kwargs)

    monkeypatch.setattr(service.account, "_call", call)
    return calls


async def fill(service: Service, bot: str, count: int) -> list[str]:
    users = [str(uuid.uuid5(uuid.NAMESPACE_URL, f"{bot}/{n}")) for n in range(count)]
    by_partition: dict[str, list[tuple[str, dict[str, object]]]] = {}
    from proactive.store.conversations import person_partition

    for user in users:
        partition = person_partition(bot, "t", user)
        row = {"PartitionKey": partition, "RowKey": user, "user": user, "installed": True}
        by_partition.setdefault(partition, []).append(("insert", row))
    for changes in by_partition.values():
        for start in range(0, len(changes), 100):
            await service.account.transaction("conversations", changes[start : start + 100])
    return users


async def test_many_people_cost_few_calls_where_they_stand_close(
    service: Service, bot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = await fill(service, bot, 2000)
    calls = counted(service, monkeypatch)

    found = await service.conversations.load(bot, "t", users)

    assert found.keys() == set(users)
    assert len(calls) <= 32


async def test_few_among_many_are_asked_for_by_key(service: Service, bot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    users = await fill(service, bot, 2000)
    wanted = users[::100]
    calls = counted(service, monkeypatch)

    found = await service.conversations.load(bot, "t", [*wanted, "nobody"])

    assert found.keys() == set(wanted)
    assert len(calls) <= len(wanted)


async def test_names_lead_to_people_and_former_names_no_more(service: Service, bot: str) -> None:
    learn = service.conversations.learn_aliases
    await learn(bot, "t", "1", {"name": "Ada Lovelace", "mail": "ada@contoso.com"}, {})
    await learn(bot, "t", "2", {"name": "ada  LOVELACE", "mail": "ada2@contoso.com"}, {})
    await learn(bot, "t", "1", {"name": "Ada King"}, {"name": "Ada Lovelace"})

    found = await service.conversations.find(
        bot, "t", ["Ada Lovelace", "ADA KING", "ada@contoso.com", "Ada", "ada@contoso.co"]
    )

    assert {name: [match.user for match in matches] for name, matches in found.items()} == {
        "Ada Lovelace": ["2"], "ADA KING": ["1"], "ada@contoso.com": ["1"], "Ada": [], "ada@contoso.co": [],
    }  # fmt: skip


async def test_a_name_of_very_many_people_is_read_to_its_end(service: Service, bot: str) -> None:
    people = [f"user-{n}" for n in range(1100)]
    for start in range(0, 1100, 50):
        await asyncio.gather(
            *(
                service.conversations.learn_aliases(bot, "t", u, {"name": "Alex"}, {})
                for u in people[start : start + 50]
            )
        )

    names = ["Alex", *(f"somebody else {n}" for n in range(300))]
    found = await service.conversations.find(bot, "t", names)

    assert len(found["Alex"]) == 1100


async def test_changes_at_the_same_instant_are_all_kept(service: Service, bot: str) -> None:
    def add(mark: str):
        def change(known: Conversation) -> bool:
            known.seen = f"{known.seen} {mark}".strip()
            return True

        return change

    await asyncio.gather(*(service.conversations.change(bot, "t", "u", add(str(n))) for n in range(12)))

    known = await service.conversations.get(bot, "t", "u")
    assert known
    assert sorted(known.seen.split(), key=int) == [str(n) for n in range(12)]


async def test_everyone_is_whoever_has_the_bot(service: Service, bot: str) -> None:
    users = await fill(service, bot, 300)

    def gone(known: Conversation) -> bool:
        known.installed = False
        return True

    await service.conversations.change(bot, "t", users[0], gone)

    found = [user async for page, _ in service.conversations.everyone(bot, "t") for user in page]

    assert sorted(found) == sorted(users[1:])
    assert [page async for page in service.conversations.everyone(bot, "other")] == []


async def test_everyone_goes_on_behind_a_page(service: Service, bot: str) -> None:
    users = await fill(service, bot, 100)
    pages = [page async for page in service.conversations.everyone(bot, "t")]

    for number, (_, place) in enumerate(pages):
        rest = [user async for page, _ in service.conversations.everyone(bot, "t", place) for user in page]
        assert rest == [user for page, _ in pages[number + 1 :] for user in page]

    assert sorted(user for page, _ in pages for user in page) == sorted(users)
