"""Keys over time: made, taken up without a restart, withdrawn, and held to a rate, whatever the number of workers."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from access.conftest import written
from commands import run
from lossmeter import keys
from lossmeter.api.access.keyring import LOOK_EVERY_SECONDS, Keyring
from lossmeter.api.access.rates import SLOTS, Buckets
from lossmeter.settings import Settings
from servers import PATIENCE, Server, running

if TYPE_CHECKING:
    from pathlib import Path

SCORE = {"logits": [[1.0, 2.0]], "targets": [0]}


def score(server: Server, secret: str) -> httpx2.Response:
    """The answer to a caller with this key, on a connection of its own."""
    return httpx2.post(f"{server.url}/v1/score", json=SCORE, headers={"X-API-Key": secret}, timeout=PATIENCE)


def eventually(server: Server, secret: str, status: int) -> None:
    """Waits until a key is answered so."""
    deadline = time.monotonic() + PATIENCE
    while score(server, secret).status_code != status:
        assert time.monotonic() < deadline
        time.sleep(0.05)


names = st.text("abcXYZ019._-", min_size=1, max_size=64)
rates = st.builds(keys.Rate, st.integers(1, 10**9 - 1), st.sampled_from([1, 60, 3600]))
lines = st.builds(
    keys.Key,
    names,
    st.binary(min_size=32, max_size=32),
    st.sets(st.sampled_from(keys.SCOPES), min_size=1).map(frozenset),
    st.none() | rates,
)


@given(lines)
def test_a_line_is_read_as_it_was_written(key: keys.Key) -> None:
    """For any key; and what it prints elsewhere has no digest."""
    assert keys.Key.read(str(key)) == key
    assert key.digest.hex() not in repr(key)
    assert repr(key.digest) not in repr(key)


@pytest.mark.parametrize(
    "line",
    [
        "secret-key",
        "ci secret-key score",
        "ci sha256:secret score",
        "ci sha256:" + "0" * 63 + " score",
        "ci sha256:" + "0" * 64,
        "ci sha256:" + "0" * 64 + " secret",
        "ci sha256:" + "0" * 64 + " score 0/s",
        "ci sha256:" + "0" * 64 + " score 5/d",
        "ci sha256:" + "0" * 64 + " score 5/s 6/s",
        "ci/secret sha256:" + "0" * 64 + " score",
    ],
)
def test_a_bad_line_is_told_by_its_number_and_not_shown(line: str) -> None:
    """Someone may have put the key itself there."""
    good = "a sha256:" + "1" * 64 + " score"
    with pytest.raises(ValueError, match=r"^line 3: ") as caught:
        keys.read_file(f"# keys\n{good}\n{line}\n")
    assert "secret" not in str(caught.value)
    assert "0" * 32 not in str(caught.value)


def test_a_name_or_a_digest_is_there_once() -> None:
    """Else a log could not tell who called, and who was withdrawn might still get in."""
    line = "{} sha256:" + "{}" * 64 + " score"
    for second in (line.format("a", *"2" * 64), line.format("b", *"1" * 64)):
        with pytest.raises(ValueError, match="there twice"):
            keys.read_file(f"{line.format('a', *'1' * 64)}\n{second}")


def test_a_new_key_works_as_it_is_printed(tmp_path: Path) -> None:
    """The first line goes to the caller, the second into the file or the setting; each run makes another."""
    done = run("key", "new", "--name", "ci", "--scopes", "score,metrics", "--rate", "100/s")
    assert done.returncode == 0
    secret, line = done.stdout.splitlines()
    assert line.startswith("ci sha256:")
    assert line.endswith(" score metrics 100/s")
    assert secret not in line
    assert len(secret) > 43
    file = tmp_path / "keys"
    file.write_text(line)
    for settings in (Settings(api_keys_file=file), Settings(api_keys=(SecretStr(line),))):
        key = Keyring(settings).find(secret.encode())
        assert key is not None
        assert (key.name, sorted(key.scopes), key.rate) == ("ci", ["metrics", "score"], keys.Rate(100, 1))
        assert Keyring(settings).find(secret.encode()[:-1]) is None
        assert Keyring(settings).find(line.encode()) is None
        assert line.split()[1][7:] not in repr(settings)
    assert run("key", "new", "--name", "ci").stdout.splitlines()[0] != secret


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--name", "c i"), "--name"),
        (("--name", ""), "NAME sha256:HEX"),
        (("--name", "ci", "--scopes", "everything"), "scopes are score, metrics, admin"),
        (("--name", "ci", "--rate", "often"), "scopes are"),
        (("--name", "ci", "--rate", "5/d"), "100/s, 600/m or 5000/h"),
    ],
)
def test_a_key_that_cannot_be_is_bad_usage(arguments: tuple[str, ...], says: str) -> None:
    """Exit 2, one line, no key."""
    done = run("key", "new", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert says in done.stderr


def test_keys_are_taken_up_and_withdrawn_while_it_runs(tmp_path: Path) -> None:
    """By every way to change a file; one that cannot be read changes nothing and is logged, but not what it holds."""
    first, second = keys.new_secret(), keys.new_secret()
    file = written(tmp_path / "keys", {"score": first})
    with running(api_keys_file=file) as server:
        assert [score(server, secret).status_code for secret in (first, second)] == [200, 403]
        written(file, {"score": second})  # as an editor that writes in place does
        eventually(server, second, 200)
        assert score(server, first).status_code == 403
        written(tmp_path / "next", {"score": first}).replace(file)  # as most do
        eventually(server, first, 200)
        file.write_text(f"oops {second}\n")
        time.sleep(2 * LOOK_EVERY_SECONDS)
        assert score(server, first).status_code == 200
        file.unlink()
        time.sleep(2 * LOOK_EVERY_SECONDS)
        assert [score(server, secret).status_code for secret in (first, second)] == [200, 403]
        file.write_text("# nobody\n")
        eventually(server, first, 403)
        log = server.log.read_text()
        assert "the keys before it stay: line 1: " in log
        assert "No such file" in log
        assert not any(secret in log for secret in (first, second))


def test_a_rate_is_held(tmp_path: Path) -> None:
    """The quota at once, then 429 with the time to come again; each key has its own, and probes cost nothing."""
    slow, other = keys.new_secret(), keys.new_secret()
    file = written(tmp_path / "keys", {"score": slow, "admin": other}, rate="4/h")
    with running(api_keys_file=file) as server:
        answers = [score(server, slow) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
        assert [answer.headers["RateLimit"].partition(";t=")[0] for answer in answers] == [
            f'"key";r={left}' for left in (3, 2, 1, 0, 0, 0)
        ]
        refused = answers[-1]
        assert refused.headers["RateLimit-Policy"] == '"key";q=4;w=3600'
        assert 890 <= int(refused.headers["Retry-After"]) <= 900
        assert refused.json()["title"] == "Too Many Requests"
        assert score(server, other).status_code == 200
        assert score(server, keys.new_secret()).status_code == 403
        assert httpx2.get(f"{server.url}/health/ready").status_code == 200


def test_a_rate_of_all_keys(tmp_path: Path) -> None:
    """It holds for those whose line has none."""
    own, common = keys.new_secret(), keys.new_secret()
    file = tmp_path / "keys"
    file.write_text(
        f"own sha256:{keys.digest(own.encode()).hex()} score 9/h\n"
        f"common sha256:{keys.digest(common.encode()).hex()} score\n"
    )
    with running(api_keys_file=file, api_keys="plain", rate_per_key="2/h") as server:
        for secret, quota in ((own, 9), (common, 2), ("plain", 2)):
            assert score(server, secret).headers["RateLimit-Policy"] == f'"key";q={quota};w=3600'


def test_workers_share_a_rate(tmp_path: Path) -> None:
    """Two processes let through what one does, not twice as much."""
    secret = keys.new_secret()
    with running(api_keys_file=written(tmp_path / "keys", {"score": secret}, "30/h"), workers=2) as server:
        statuses = [score(server, secret).status_code for _ in range(80)]
        assert (statuses.count(200), statuses.count(429)) == (30, 50)
        assert len(set(_workers(server))) == 2


def _workers(server: Server) -> list[str]:
    """The processes that said that they serve."""
    return [
        line.partition("[")[2]
        for line in server.log.read_text().splitlines()
        if "Started server process" in line
    ]


@given(rates.filter(lambda rate: rate.quota < 200), st.integers(0, 300))
def test_a_bucket_gives_its_quota_and_no_more(rate: keys.Rate, asked: int) -> None:
    """At once; and says how long to wait for the next."""
    buckets = Buckets()
    began = time.monotonic()
    standings = [buckets.take("me", rate) for _ in range(asked)]
    taken = sum(standing.wait == 0 for standing in standings)
    refilled = math.ceil((time.monotonic() - began) * rate.quota / rate.seconds) + 1
    assert min(asked, rate.quota) <= taken <= min(asked, rate.quota + refilled)
    for standing in standings:
        assert standing.wait <= rate.seconds / rate.quota
        assert 0 <= standing.left < rate.quota
        assert 0 <= standing.full <= rate.seconds


def test_many_callers_do_not_share_a_bucket() -> None:
    """Half as many callers as the table has places: each gets its own quota, and none more."""
    buckets = Buckets()
    rate = keys.Rate(2, 3600)
    callers = [f"caller {number}" for number in range(SLOTS // 2)]
    for expected in (True, True, False):
        assert all((buckets.take(caller, rate).wait == 0) is expected for caller in callers)


def test_a_full_table_forgets_the_one_that_is_nearly_over() -> None:
    """More callers than places: nobody is refused for it."""
    buckets = Buckets()
    assert all(not buckets.take(str(number), keys.Rate(2, 60)).wait for number in range(SLOTS * 2))
