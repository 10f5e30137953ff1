"""A snapshot comes back as it was written, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.matching.keeping import Keeper
from services.matching.shard import Change, Shard
from services.matching.snapshots import Origin, Snapshots
from services.matching.work import Subject
from shared.contracts.events import Side, Visibility
from tests.unit.matching_profiles import MODEL, party, work

ORIGIN = Origin("state", MODEL.method, "encoder", 3)


def change(side: Side, id: str, version: int, seed: int | None) -> Change:
    about = party(id, version, "zh-Hant" if version % 2 else "en", Visibility.NAMED, ["friend"])
    return Change(Subject(side, id), version, None if seed is None else work(side, seed, about, is_embedded=True))


@pytest.fixture
def shard() -> Shard:
    """With live, changed and withdrawn records on both sides, and a floor."""
    shard = Shard(MODEL)
    for number in range(30):
        shard.load(change(Side.TECHNOLOGY, f"tt/{number}", 1, number))
        shard.load(change(Side.DEMAND, f"friend/{number}", 1, number))
    shard.apply([change(Side.TECHNOLOGY, "tt/3", 2, 77), change(Side.DEMAND, "friend/4", 5, None)])
    shard.confirm(12, {"friend/7": 1.25})
    return shard


def same(one: Shard, other: Shard) -> bool:
    asked = [one.profile(Subject(Side.DEMAND, f"friend/{number}")) for number in (1, 7, 9)]
    offered = [one.profile(Subject(Side.TECHNOLOGY, f"tt/{number}")) for number in (1, 3, 9)]
    return (
        one.number == other.number
        and all(one.versions.of(side) == other.versions.of(side) for side in Side)
        and one.best_for(asked, 40) == other.best_for(asked, 40)
        and one.entries_for(offered, -50, ()) == other.entries_for(offered, -50, ())
    )


def test_a_shard_comes_back_as_it_was(shard: Shard, tmp_path: Path) -> None:
    keeper = Keeper(Snapshots(tmp_path / "new"))
    keeper.write(ORIGIN, shard)
    # What happens while it is being written is not in it.
    shard.apply([change(Side.TECHNOLOGY, "tt/99", 1, 5), change(Side.TECHNOLOGY, "tt/5", 2, None)])
    keeper.close()
    shard.take_back()
    again = Shard(MODEL)
    Keeper(Snapshots(tmp_path / "new")).restore(ORIGIN, again, 12)
    assert again.demands.floor("friend/7") == 1.25
    assert same(shard, again)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["shard-3.npz"]


def test_a_shard_that_came_back_takes_changes(shard: Shard, tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.write(ORIGIN, 12, shard.arrays())
    again = Shard(MODEL)
    Keeper(snapshots).restore(ORIGIN, again, 20)
    for each in (shard, again):
        each.load(change(Side.TECHNOLOGY, "tt/9", 2, 1234))
        each.load(change(Side.TECHNOLOGY, "tt/8", 2, None))
        each.load(change(Side.DEMAND, "friend/50", 1, 8))
    assert same(shard, again)
    assert "tt/8" not in again.technologies


def test_unconfirmed_changes_are_never_written(shard: Shard) -> None:
    shard.apply([change(Side.TECHNOLOGY, "tt/99", 1, 5)])
    with pytest.raises(RuntimeError, match="not confirmed"):
        shard.arrays()


@pytest.mark.parametrize(
    "other",
    [
        replace(ORIGIN, state="another database"),
        replace(ORIGIN, method="another model"),
        replace(ORIGIN, encoder="another encoder"),
    ],
)
def test_a_snapshot_of_something_else_is_passed_over(shard: Shard, tmp_path: Path, other: Origin) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.write(ORIGIN, 12, shard.arrays())
    assert snapshots.read(ORIGIN, 12) is not None
    assert snapshots.read(other, 12) is None
    assert snapshots.read(replace(ORIGIN, shard=4), 12) is None


def test_a_snapshot_that_knows_more_than_the_state_is_passed_over(shard: Shard, tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.write(ORIGIN, 12, shard.arrays())
    assert snapshots.read(ORIGIN, 11) is None


def test_a_broken_snapshot_is_passed_over(shard: Shard, tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.write(ORIGIN, 12, shard.arrays())
    path = tmp_path / "shard-3.npz"
    whole = path.read_bytes()
    chance = np.random.default_rng(1)
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert snapshots.read(ORIGIN, 12) is None
    again, untouched = Shard(MODEL), 0
    for place in chance.integers(0, len(whole), 60).tolist():
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        found = snapshots.read(ORIGIN, 12)
        if found is not None:
            # The byte lay where nothing is kept, such as a date.
            untouched += 1
            again = Shard(MODEL)
            again.restore(*found)
            assert same(shard, again)
    assert untouched < 30


def test_an_interrupted_write_leaves_the_old_snapshot(
    shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.write(ORIGIN, 12, shard.arrays())
    (tmp_path / "shard-3.npz.left-by-a-killed-process").write_bytes(b"half")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    keeper = Keeper(snapshots)
    keeper.write(ORIGIN, shard)
    keeper.close()
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["shard-3.npz"]
    assert snapshots.read(ORIGIN, 12) is not None


def test_a_snapshot_is_due_when_time_has_passed_and_something_has_changed(shard: Shard, tmp_path: Path) -> None:
    keeper = Keeper(Snapshots(tmp_path), seconds=0.0)
    assert keeper.is_due(3, shard)
    keeper.write(ORIGIN, shard)
    keeper.close()
    assert not keeper.is_due(3, shard)
    shard.confirm(13, {})
    assert keeper.is_due(3, shard)
    assert not Keeper(Snapshots(tmp_path)).is_due(3, shard)
