"""Which addresses a stranger may lead the gateway to."""

import pytest

from gateway.public import is_public

PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "172.15.0.1",
    "172.32.0.1",
    "100.63.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "2002:808:808::1",
    # that carry a public one
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2001:0:4136:e378::f7f7:f7f7",
)
PRIVATE = (
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.7",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.255",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "feff:ffff::1",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2001:0:7f00:1::f5ff:fffe",
    "2001:0:4136:e378::3f57:fffe",  # Teredo by a public server to 192.168.0.1
    "2001:0:a00:1::f7f7:f7f7",  # and by 10.0.0.1 to a public address
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "fd00:ec2::254",
)
NONE = (
    "",
    "localhost",
    "0177.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "127.0.0.1.",
    "1.1.1",
    "[::1]",
    "example.com",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_address_is_not_public(text: str) -> None:
    assert not is_public(text)
