"""The keys of persons: what shows whom a send may hold passes over others, and never over the person."""

from hypothesis import given
from hypothesis import strategies as st

from proactive.model import Entry, Recipient
from proactive.store.conversations import person_partition
from proactive.store.persons import Subject, alias_key, fingerprints, place_of_person, row_key, span

users = st.text(min_size=1, max_size=12)
recipients = st.builds(Recipient, name=st.text(max_size=12), user=st.none() | users, data=st.none())


@given(st.lists(users, max_size=20))
def test_places_sort_as_the_rows_of_persons_stand(some: list[str]) -> None:
    stand = sorted(some, key=lambda user: (person_partition("", "", user), row_key(user)))
    assert sorted(some, key=place_of_person) == stand


@given(st.lists(recipients, max_size=20))
def test_a_span_holds_everybody_who_has_a_key(people: list[Recipient]) -> None:
    low, high = span(people)
    assert all(low <= place_of_person(person.user) <= high for person in people if person.user)
    assert (low == "") == (not any(person.user for person in people))


@given(st.lists(recipients, min_size=1, max_size=20), st.data())
def test_the_fingerprint_of_a_person_is_found_and_can_be_taken_out(
    people: list[Recipient], data: st.DataObject
) -> None:
    one = data.draw(st.sampled_from(people))
    subject = Subject(one.user or "", frozenset() if one.user else frozenset({alias_key(one.name)}))

    known = fingerprints(people)
    left = subject.without(known)

    assert subject.is_recipient(one)
    assert len(left) == len(known) - 8
    assert subject.without(left) == left


def test_somebody_else_leaves_no_fingerprint() -> None:
    known = fingerprints([Recipient("ada@contoso.com", "ada"), Recipient("eve@contoso.com", None)])
    stranger = Subject("bob", frozenset({alias_key("bob@contoso.com"), alias_key("ada@contoso.com")}))
    assert stranger.without(known) == known


def test_a_person_is_named_by_key_and_by_name_but_never_by_everyone() -> None:
    ada = Subject("ada", frozenset({alias_key("Ada@Contoso.com")}))
    assert ada.is_named(Entry("person", "ADA"))
    assert ada.is_named(Entry("user", "ada@contoso.com"))
    assert not ada.is_named(Entry("person", "bob"))
    assert not ada.is_named(Entry("group", "ADA"))
    assert not Subject("", frozenset({alias_key("")})).is_named(Entry("everyone"))


def test_a_name_is_the_same_however_its_accents_are_written() -> None:
    composed, apart = "Zo\u00eb M\u00fcller", "Zoe\u0308 Mu\u0308ller"
    assert alias_key(composed) == alias_key(apart) == alias_key("ZOE\u0308  m\u00fcller")
    assert alias_key(composed) != alias_key("Zoe Muller")


def test_who_is_known_by_a_key_is_not_taken_for_somebody_of_the_same_name() -> None:
    ada = Subject("ada", frozenset({alias_key("shared@contoso.com")}))
    assert not ada.is_recipient(Recipient("shared@contoso.com", "bob"))
    assert ada.is_recipient(Recipient("shared@contoso.com", None))


def test_a_person_is_found_among_the_candidates_of_a_name() -> None:
    ada = Subject("0f-1", frozenset({alias_key("ada@contoso.com")}))
    assert ada.is_mentioned("ambiguousRecipient: Lovelace, Ada <x@contoso.com>, Ada <Ada@contoso.com>, …")
    assert ada.is_mentioned("ambiguousRecipient: <0F-1>")
    assert not ada.is_mentioned("ambiguousRecipient: ada@contoso.com <x@contoso.com>")
    assert not Subject("", frozenset()).is_mentioned("ambiguousRecipient")
