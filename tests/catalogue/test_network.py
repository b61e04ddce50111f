"""The network guard, in processes of its own: an audit hook cannot be taken out again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.catalogue.network import Attempt, attempts

GUARD = (
    "import socket, sys, threading, contextvars\n"
    "from pathlib import Path\n"
    "from assistant.catalogue.network import *\n"
    "from assistant.catalogue import network\n"
    "from assistant.errors import NetworkRefused\n"
    "install_network_guard(); install_network_guard()\n"
    "def refused(call):\n"
    "    try: call()\n"
    "    except NetworkRefused: return True\n"
    "    except OSError: return False\n"
    "    return False\n"
)


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", GUARD + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "call",
    [
        "socket.create_connection(('192.0.2.1', 9), 0.2)",
        "socket.socket().connect_ex(('192.0.2.1', 9))",
        "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 9))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
        "socket.socket(type=socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('192.0.2.1', 9))",
        "socket.getaddrinfo('example.invalid', 443)",
        "socket.gethostbyname('example.invalid')",
        "socket.socket().bind(('0.0.0.0', 0))",
        "socket.socket().bind(('', 0))",
        "__import__('urllib.request').request.urlopen('http://192.0.2.1/')",
        "__import__('http.client').client.HTTPSConnection('example.invalid').connect()",
    ],
)
def test_every_way_out_is_refused(call: str) -> None:
    assert run(f"print(refused(lambda: {call}))") == "True"


@pytest.mark.parametrize(
    "call",
    [
        "socket.socket().connect_ex(('127.0.0.1', 9))",
        "socket.socket().connect_ex(('127.8.9.10', 9))",
        "socket.socket().bind(('127.0.0.1', 0))",
        "socket.getaddrinfo('localhost', 80)",
        "socket.getaddrinfo('127.0.0.1', 80)",
        "socket.socketpair()",
        "socket.socket(socket.AF_UNIX).connect_ex('/nonexistent')",
        "socket.socket(socket.AF_INET6).connect_ex(('::1', 9))",
    ],
)
def test_this_machine_may_be_talked_to(call: str) -> None:
    assert run(f"print(refused(lambda: {call}))") == "False"


def test_a_download_opens_the_network_for_its_own_context_alone() -> None:
    code = (
        "call = lambda: socket.getaddrinfo('example.invalid', 443)\n"
        "def in_thread():\n"
        "    seen = []\n"
        "    t = threading.Thread(target=lambda: seen.append(refused(call))); t.start(); t.join()\n"
        "    return seen[0]\n"
        "with network_allowed('download of x'):\n"
        "    print(refused(call), in_thread(), open_reasons())\n"
        "print(refused(call), open_reasons())\n"
    )
    assert run(code) == "False True ('download of x',)\nTrue ()"


def test_attempts_are_logged_for_a_later_process(tmp_path: Path) -> None:
    log = tmp_path / "network.log"
    code = (
        f"log_network_to(lambda: Path({str(log)!r}))\n"
        "refused(lambda: socket.getaddrinfo('one.invalid', 1))\n"
        "with network_allowed('download of x'): refused(lambda: socket.getaddrinfo('two.invalid', 1))\n"
        "print(len(attempts()))"
    )
    assert run(code) == "2"
    refused, allowed = attempts(log)
    assert (refused.target, refused.allowed) == ("one.invalid", False)
    assert (allowed.target, allowed.allowed, allowed.reason) == (
        "two.invalid",
        True,
        "download of x",
    )
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_torn_line_of_the_log_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "network.log"
    whole = {"time": "t", "event": "e", "target": "x", "allowed": False, "reason": "r"}
    log.write_text(json.dumps(whole) + "\n" + '{"time": "cut\n' + "[1]\n")
    assert attempts(log) == [Attempt("t", "e", "x", False, "r")]
    assert attempts(tmp_path / "absent") == []


def test_the_log_is_halved_when_it_grows_large(tmp_path: Path) -> None:
    log = tmp_path / "network.log"
    code = (
        f"network.MAX_LOG_BYTES = 4000; log_network_to(lambda: Path({str(log)!r}))\n"
        "for i in range(60): refused(lambda: socket.getaddrinfo(f'host{i}.invalid', 1))\n"
    )
    run(code)
    assert log.stat().st_size <= 4200
    assert attempts(log)[-1].target == "host59.invalid"


def test_a_log_that_cannot_be_written_does_not_break_the_refusal(tmp_path: Path) -> None:
    code = (
        f"log_network_to(lambda: Path({str(tmp_path)!r}))\n"  # a folder
        "print(refused(lambda: socket.getaddrinfo('one.invalid', 1)))"
    )
    assert run(code) == "True"


def test_the_guard_is_cheap_to_install() -> None:
    code = (
        "heavy = {'socket', 'ssl', 'json', 'numpy', 'huggingface_hub'}\n"
        "import sys; before = set(sys.modules)\n"
        "import assistant.catalogue.network\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
