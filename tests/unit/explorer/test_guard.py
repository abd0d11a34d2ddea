"""Who is answered."""

import pytest

from rpganify.explorer.guard import host_name, refusal

LOCAL = (b"host", b"127.0.0.1:8000")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:9000", "LOCALHOST", "[::1]:80", "127.0.0.1"])
def test_this_machines_own_names_are_answered_at_any_port(host):
    assert refusal([(b"host", host.encode())], "/api/image") == ""


@pytest.mark.parametrize(
    "host",
    ["evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example:80", "127.0.0.1@evil", "", "2130706433"],
)
def test_a_foreign_name_for_this_machine_is_refused(host):
    assert "answers to 127.0.0.1 and localhost only" in refusal([(b"host", host.encode())], "/")


def test_a_request_without_a_host_or_with_two_is_refused():
    assert "was called 'nothing'" in refusal([], "/")
    assert refusal([LOCAL, LOCAL], "/")


@pytest.mark.parametrize("site", [b"cross-site", b"same-site"])
def test_a_foreign_page_gets_no_data_but_may_link_to_the_page(site):
    assert "its own page only" in refusal([LOCAL, (b"sec-fetch-site", site)], "/api/image")
    assert refusal([LOCAL, (b"sec-fetch-site", site)], "/") == ""


@pytest.mark.parametrize("site", [b"same-origin", b"none"])
def test_its_own_page_and_the_users_typing_are_answered(site):
    assert refusal([LOCAL, (b"sec-fetch-site", site)], "/api/image") == ""


def test_a_host_header_ends_in_a_port_or_not():
    assert [host_name(host) for host in ("a:1", "a", "[::1]:80", "[::1]", "a:b")] == ["a", "a", "[::1]", "[::1]", "a:b"]
