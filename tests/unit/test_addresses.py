"""Which addresses may be connected to, and what becomes of a name that resolves to others."""

import socket
from collections.abc import Sequence

import pytest

from proactive.addresses import CheckedResolver, RefusedAddressError, Resolve, is_public, system_addresses

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "13.69.64.208",
    "20.50.1.1",
    "52.174.88.118",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "168.63.129.15",
    "168.63.129.17",
    "172.15.255.255",
    "172.32.0.0",
    "192.88.98.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.254",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2603:1030:20e:3::23c",
    "2606:4700:4700::1111",
    "2a01:111:f403::1",
    "3ffe::1",
]
REFUSED = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1"],
    "carrier-grade NAT": ["100.64.0.0", "100.127.255.255"],
    "link local": ["169.254.0.1", "169.254.169.254", "169.254.129.2", "fe80::1", "fe80::1%eth0", "febf::1"],
    "Azure's wire server": ["168.63.129.16"],
    "protocol assignments": ["192.0.0.1", "192.0.0.9", "192.0.0.10", "2001:1::1", "2001:20::1", "2001:2::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff:ffff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255"],
    "6to4 relays": ["192.88.99.1", "192.88.99.255"],
    "multicast": ["224.0.0.1", "232.1.1.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.254", "4000::1", "8000::1", "c000::1", "f000::1"],
    "broadcast": ["255.255.255.255"],
    "unique local": ["fc00::1", "fd00:ec2::254", "fdff::1"],
    "site local": ["fec0::1"],
    "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::ffff:8.8.8.8"],
    "IPv4-compatible": ["::127.0.0.1", "::10.0.0.1", "::8.8.8.8"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::169.254.169.254", "64:ff9b::8.8.8.8", "64:ff9b:1::1"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2002:808:808::1"],
    "Teredo": ["2001::1", "2001:0:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "segment routing": ["5f00::1"],
    "discard": ["100::1"],
    "scoped": ["2606:4700:4700::1111%eth0"],
    "no address": [
        "",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "1.1.1.1 ",
        "[::1]",
        "1.1.1.1:443",
    ],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_connected_to(address):
    assert is_public(address)


@pytest.mark.parametrize("address", [address for addresses in REFUSED.values() for address in addresses])
def test_any_other_address_may_not(address):
    assert not is_public(address)


def resolving(*addresses: str) -> Resolve:
    async def resolve(_host: str) -> Sequence[str]:
        return addresses

    return resolve


async def test_of_a_names_addresses_only_the_public_ones_are_left():
    mixed = ["10.0.0.1", "20.50.1.1", "::ffff:20.50.1.1", "2603:1030:20e:3::23c", "169.254.169.254"]
    resolver = CheckedResolver(resolving(*mixed), allow_loopback=True)

    found = await resolver.resolve("prod.logic.azure.com", 443, family=socket.AF_UNSPEC)

    assert [(each["host"], each["port"], each["family"]) for each in found] == [
        ("20.50.1.1", 443, socket.AF_INET),
        ("2603:1030:20e:3::23c", 443, socket.AF_INET6),
    ]


@pytest.mark.parametrize(
    ("host", "address", "allow_loopback"),
    [
        ("prod.logic.azure.com", "127.0.0.1", True),
        ("prod.logic.azure.com", "::1", True),
        ("localhost.logic.azure.com", "127.0.0.1", True),
        ("localhost", "127.0.0.1", False),
        ("localhost", "::1", False),
        ("localhost", "10.0.0.1", True),
        ("localhost", "20.50.1.1", True),
    ],
)
async def test_loopback_is_for_loopback_names_only_and_they_for_it(host, address, allow_loopback):
    with pytest.raises(RefusedAddressError):
        await CheckedResolver(resolving(address), allow_loopback=allow_loopback).resolve(host, 443)


async def test_given_loopback_is_allowed_when_localhost_is_resolved_by_the_system_then_it_is_found():
    found = await CheckedResolver(system_addresses, allow_loopback=True).resolve("LOCALHOST", 8080)

    assert {each["host"] for each in found} <= {"127.0.0.1", "::1"}
    assert found[0]["port"] == 8080
