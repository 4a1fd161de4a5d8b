"""Who lends: what readings mean, what is written, one leader for each directory, and loans that end by themselves."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from hetero.enforcement import accounts, layout, region
from hetero.enforcement.accounts import Account
from hetero.enforcement.limits import DeviceLimit, Limits
from hetero.monitoring import lending
from hetero.monitoring.lending import LOAN_NS, PERIOD_NS, SETTLED, Lender, tenant

START = 10**12
READING = Account(
    position=0,
    uuid="fake-0",
    read_ns=START,
    core_limit=30,
    policy="conserve",
    priority=1,
    busy_ns=0,
    throttled_ns=0,
    budget_ns=1,
    seen_ns=0,
    lent=0,
)


def _after(periods: int, **fields: int) -> Account:
    """A reading so many periods later."""
    return replace(READING, read_ns=START + periods * PERIOD_NS, **fields)


def test_what_was_used_is_the_busy_time_of_a_period() -> None:
    """60 of 200 ms are 30 percent."""
    seen = tenant("s", [READING, _after(1, busy_ns=60_000_000)])
    assert (seen.used, seen.active, seen.held_back) == (30.0, True, False)
    assert (seen.cores, seen.policy, seen.priority) == (30, "conserve", 1)


def test_use_that_grows_is_seen_at_once_and_use_that_falls_later() -> None:
    """The greater of the last period and of all that is remembered."""
    rising = [READING, _after(1), _after(2, busy_ns=100_000_000)]
    falling = [READING, _after(1, busy_ns=100_000_000), _after(2, busy_ns=100_000_000)]
    assert tenant("s", rising).used == 50.0
    assert tenant("s", falling).used == 25.0


def test_who_waits_is_held_back_also_while_the_wait_lasts() -> None:
    """The time of waiting is counted when it is over; till then the account is overdrawn and refilled."""
    waited = _after(1, throttled_ns=5, seen_ns=START + 1)
    waiting = _after(1, budget_ns=-5, seen_ns=START + 1)
    assert tenant("s", [READING, waited]).held_back
    assert tenant("s", [READING, waiting]).held_back


def test_who_makes_way_now_is_held_to_that() -> None:
    """By its last reading: what it was held to before is over."""
    assert tenant("s", [READING, _after(1, held_to=1)]).held_to == 1
    assert tenant("s", [replace(READING, held_to=1), _after(1)]).held_to == 0


def test_an_overdrawn_account_that_nobody_looks_after_is_idle() -> None:
    """Its program has ended, or waits for something else."""
    seen = tenant("s", [replace(READING, budget_ns=-5), _after(1, budget_ns=-5, seen_ns=START - 1)])
    assert not seen.held_back
    assert not seen.active


def test_who_ran_all_the_time_that_is_remembered_is_settled() -> None:
    """One idle period, and it is not known again what it needs."""
    busy = [_after(n, busy_ns=n * 1000, seen_ns=START + n * PERIOD_NS - 1) for n in range(SETTLED + 1)]
    assert tenant("s", busy).settled
    assert not tenant("s", busy[:-1]).settled
    paused = [*busy[:-2], replace(busy[-2], busy_ns=busy[-3].busy_ns, seen_ns=busy[-3].seen_ns), busy[-1]]
    assert not tenant("s", paused).settled


def test_the_first_reading_knows_only_the_last_moment() -> None:
    """Who launched within a period before it may be running."""
    assert tenant("s", [replace(READING, seen_ns=START - 5)]).active
    assert not tenant("s", [replace(READING, seen_ns=START - 2 * PERIOD_NS)]).active
    assert tenant("s", [READING]).used == 0.0


class Slices:
    """A runtime directory with slices of one device, whose programs a test plays."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def make(self, name: str, cores: int, policy: str = "conserve", uuid: str = "fake-0") -> Path:
        """A slice as ``hetero run`` makes it."""
        (self.directory / "slices" / name).mkdir(parents=True)
        path = self.directory / "slices" / name / "region"
        limit = DeviceLimit(uuid=uuid, cores=cores, policy=policy)
        region.create(path, Limits(slice_id=name, devices=(limit,)))
        return path

    def play(self, path: Path, *, wants_more: bool = False) -> None:
        """Its program draws time, and waits if it wants more."""
        self._put(path, "wanted_ns", time.monotonic_ns())
        if wants_more:
            self._put(path, "throttled_ns", time.monotonic_ns())

    def lent(self, path: Path) -> int:
        """Percent that its programs may have on top now."""
        [account] = accounts.read(path)
        return account.lent

    def _put(self, path: Path, name: str, value: int) -> None:
        with path.open("r+b") as file:
            file.seek(layout.DEVICE.start + layout.DEVICE.fields[name].offset)
            file.write(value.to_bytes(8, "little"))


@pytest.fixture
def slices(tmp_path: Path) -> Slices:
    """A runtime directory."""
    return Slices(tmp_path)


def test_the_idle_share_is_lent_and_taken_back_at_the_next_look(slices: Slices) -> None:
    """One look after the lender woke, the borrower has nothing on top any more."""
    small, large = slices.make("small", 30), slices.make("large", 70)
    lender = Lender(slices.directory)
    lender.look()
    slices.play(small, wants_more=True)
    lender.look()
    assert (slices.lent(small), slices.lent(large)) == (70, 0)
    slices.play(small)
    slices.play(large)
    lender.look()
    assert (slices.lent(small), slices.lent(large)) == (0, 0)
    lender.close()


def test_a_loan_ends_when_nobody_renews_it(slices: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two periods after the look that made it: whoever lends may die."""
    small = slices.make("small", 30)
    lender = Lender(slices.directory)
    lender.look()
    slices.play(small, wants_more=True)
    lender.look()
    lender.close()
    assert slices.lent(small) == 70
    later = time.monotonic_ns() + LOAN_NS
    monkeypatch.setattr(accounts, "time", SimpleNamespace(monotonic_ns=lambda: later))
    assert slices.lent(small) == 0


def test_devices_are_balanced_one_by_one(slices: Slices) -> None:
    """What is idle on another device is of no use here."""
    small = slices.make("small", 30)
    slices.make("elsewhere", 70, uuid="fake-1")
    busy = slices.make("busy", 60, policy="cap")
    lender = Lender(slices.directory)
    lender.look()
    slices.play(small, wants_more=True)
    slices.play(busy, wants_more=True)
    lender.look()
    assert slices.lent(small) == 10
    lender.close()


def test_regions_without_anything_to_lend_are_left_alone(slices: Slices) -> None:
    """No write: programs that are never lent anything are never disturbed."""
    capped, content = slices.make("capped", 30, policy="cap"), slices.make("content", 30)
    before = [path.read_bytes() for path in (capped, content)]
    lender = Lender(slices.directory)
    lender.look()
    lender.look()
    assert [path.read_bytes() for path in (capped, content)] == before
    lender.close()


@pytest.mark.parametrize("data", [b"", b"x" * layout.SIZE])
def test_a_damaged_region_keeps_no_other_slice_from_its_loan(slices: Slices, data: bytes) -> None:
    """A program may write anything into its own."""
    small, broken = slices.make("small", 30), slices.make("broken", 10)
    broken.write_bytes(data)
    lender = Lender(slices.directory)
    lender.look()
    slices.play(small, wants_more=True)
    lender.look()
    assert slices.lent(small) == 70
    lender.close()


def test_a_slice_without_a_region_keeps_nobody_from_being_lent(slices: Slices, tmp_path: Path) -> None:
    """It is just being made or removed; and where there is no slice at all, there is nothing to look at."""
    (tmp_path / "slices/a-new-one").mkdir(parents=True)
    assert lending.regions(tmp_path) == [str(tmp_path / "slices/a-new-one/region")]
    assert lending.regions(tmp_path / "none") == []
    wants = slices.make("wants", 30)
    lender = Lender(slices.directory)
    lender.look()
    slices.play(wants, wants_more=True)
    lender.look()
    assert slices.lent(wants) == 70
    lender.close()


def test_a_look_never_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks has a program to run: no directory, or a defect here, must not end it."""
    Lender(tmp_path / "none").look()

    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(lending, "regions", broken)
    Lender(tmp_path).look()


def test_one_leads_and_another_takes_over(slices: Slices) -> None:
    """The second does nothing while the first holds the lock, and leads from its next look on."""
    small = slices.make("small", 30)
    first, second = Lender(slices.directory), Lender(slices.directory)
    first.look()
    second.look()
    slices.play(small, wants_more=True)
    second.look()
    assert slices.lent(small) == 0
    first.close()
    second.look()
    slices.play(small, wants_more=True)
    second.look()
    assert slices.lent(small) == 70
    second.close()


@pytest.fixture
def killed(tmp_path: Path) -> Callable[[], None]:
    """Has another process lead the directory and ends it by SIGKILL."""

    def kill() -> None:
        code = "import sys; from hetero.monitoring.lending import Lender; from pathlib import Path\n"
        code += "one = Lender(Path(sys.argv[1])); one.look(); print('leads', flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as leader:
            assert leader.stdout.readline() == "leads\n"
            second = Lender(tmp_path)
            second.look()
            assert not second.leads
            leader.kill()

    return kill


def test_a_killed_leader_leaves_no_lock(slices: Slices, killed: Callable[[], None]) -> None:
    """The lock is the kernel's, so it ends with the process."""
    killed()
    lender = Lender(slices.directory)
    lender.look()
    assert lender.leads
    lender.close()
    assert not lender.leads
