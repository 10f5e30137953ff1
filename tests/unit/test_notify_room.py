"""How one process shares out what it sends at a time."""

from __future__ import annotations

from services.notify.channels.room import LINGERING, Place, Room


def taken(room: Room, endpoint: str, times: int = 20) -> list[Place]:
    return [place for _ in range(times) if (place := room.take(endpoint))]


def test_an_endpoint_gets_one_at_a_time_until_it_has_answered() -> None:
    room = Room(at_a_time=8, to_one=3)
    assert len(taken(room, "new")) == 1
    room.answers("new", True)
    assert len(taken(room, "new")) == 2
    assert room.left == 5


def test_an_endpoint_that_fails_gets_one_at_a_time_again() -> None:
    room = Room(at_a_time=8, to_one=3)
    room.answers("a", True)
    (first, second, third) = taken(room, "a")
    room.answers("a", False)
    for place in (first, second):
        room.give_back(place)
        assert not room.take("a")
    room.give_back(third)
    assert len(taken(room, "a")) == 1


def test_there_is_room_for_so_many_and_each_that_ends_makes_room() -> None:
    room = Room(at_a_time=3, to_one=3)
    places = [room.take(str(number)) for number in range(5)]
    assert [place is not None for place in places] == [True, True, True, False, False]
    assert places[1]
    room.give_back(places[1])
    assert room.left == 1
    assert room.take("1")


def test_what_lingers_makes_room_for_others_but_not_without_end() -> None:
    room = Room(at_a_time=2, to_one=2)
    hanging: list[Place] = []
    for number in range(20):
        if place := room.take(f"hangs-{number}"):
            hanging.append(place)
            room.linger(place)
    assert len(hanging) == 2 * (1 + LINGERING)
    assert room.left == 0
    for place in hanging:
        room.give_back(place)
    assert room.left == 2


def test_what_may_be_taken_up_is_asked_of_the_right_endpoints() -> None:
    room = Room(at_a_time=8, to_one=2)
    assert room.where() == {}
    room.answers("a", True)
    (first, second), (other,) = taken(room, "a"), taken(room, "b")
    room.is_busy("c", 60)
    room.is_busy("d", 0)
    assert room.where() == {"endpoint": {"$nin": ["a", "b", "c"]}}
    room.linger(other)  # still one at a time
    room.give_back(first)
    assert room.where() == {"endpoint": {"$nin": ["b", "c"]}}
    room.give_back(second)
    room.give_back(other)
    assert room.where() == {"endpoint": {"$nin": ["c"]}}
