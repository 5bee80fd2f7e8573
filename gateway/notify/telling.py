"""Which alarms stand where on which ladders, and what is to be told of them. No I/O: rows in, letters out."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from config.duty.model import Duty, Ladder, Step
from config.plant.model import Plant
from gateway.notify.ladder import GOES_ON, RED, Take, begin, hasten, quiet_until_ms, take
from gateway.notify.letters import Letter, key_of, payload_of
from gateway.notify.outbox import Kept, Standing
from gateway.notify.port import Delivery, Kind
from gateway.notify.roster import Swap, on_duty
from gateway.notify.storm import Throttle

__all__ = ["Telling"]

Row = Mapping[str, Any]
_OVERDUE_TURN = -1
"""Of messages that are no step of a ladder."""


class Telling:
    """The open alarms on their ladders. What changes is gathered in ``changed`` and ``letters`` for the next commit.

    Args:
        plant: Describes tags.
        duty: Ladders, rosters, people.
        kept: What an earlier process left.
        base_url: Of the gateway's pages; empty: not known.
    """

    def __init__(self, plant: Plant, duty: Duty, kept: Kept, base_url: str = "") -> None:
        self._plant = plant
        self._duty = duty
        self._base_url = base_url
        self._rows: dict[str, Row] = {row["alarm_id"]: row for row in kept.alarms}
        self._standings = dict(kept.standings)
        self._throttles = {ladder.id: Throttle(ladder.storm) for ladder in duty.ladders.values()}
        self._due: list[tuple[int, str, str]] = []
        self._turns: dict[tuple[str, str, int], list[int]] = {}
        """(ladder, alarm, turn) -> messages that are on their way, messages that arrived."""
        self.swaps: Sequence[Swap] = ()
        self.changed: dict[tuple[str, str], Standing | None] = {}
        self.letters: list[Letter] = []
        self.over_untold = 0
        """Times that nobody was told that an alarm is over, for there was a storm."""
        self.overdue_untold = 0
        """Alarms of which nobody was told in quiet hours that they are overdue."""
        for key in kept.standings:
            if key[0] not in duty.ladders or key[1] not in self._rows:
                self._forget(key)
        for letter in kept.letters:
            self._count(letter)

    def resume(self, now_ms: int) -> None:
        """Look at every alarm that an earlier process left, or never saw."""
        for row in list(self._rows.values()):
            self.note(row, now_ms, raised=False)

    def note(self, row: Row, now_ms: int, *, raised: bool) -> None:
        """Take an alarm as it is now.

        Args:
            row: Of the table `alarm`.
            now_ms: Gateway clock.
            raised: It was raised since it was last looked at: it is told even if it is over by now.
        """
        alarm_id = row["alarm_id"]
        on = [key for key in ((ladder, alarm_id) for ladder in self._duty.ladders) if key in self._standings]
        if row["state"] == "cleared" and not on and not raised:
            self._rows.pop(alarm_id, None)
            return
        self._rows[alarm_id] = row
        if row["state"] not in GOES_ON:
            for key in on:
                self._tell_over(key, row, now_ms)
        for ladder in self._duty.ladders.values():
            if row["tier"] in ladder.tiers or (ladder.id, alarm_id) in self._standings:
                self._look(ladder, row, now_ms)
        self._let_go(row)

    def miss(self, rows: Sequence[Row], now_ms: int) -> None:
        """Tell one level up of alarms whose clocks of handling have run out, where their ladder is at rest.

        That is when somebody acknowledged and nothing was done, or when an alarm came and went unseen; a ladder on
        which nobody has acknowledged climbs by itself. All of one moment are one message.

        Args:
            rows: Of the table `alarm`.
            now_ms: Gateway clock.
        """
        waiting = {row["alarm_id"]: row for row in rows if row["inhibited"] is None}
        late = [row for row in waiting.values() if row["acknowledged_ms"] is not None or row["state"] not in GOES_ON]
        for ladder in self._duty.ladders.values():
            mine = [row for row in late if row["tier"] in ladder.tiers]
            loud = [row for row in mine if row["tier"] == RED or quiet_until_ms(ladder.quiet, now_ms) is None]
            self.overdue_untold += len(mine) - len(loud)
            if loud and ladder.steps:
                up = min(1, len(ladder.steps) - 1)
                self._tell(ladder, up, _OVERDUE_TURN, loud, Kind.OVERDUE, now_ms)

    def tick(self, now_ms: int) -> None:
        """Take the steps that are due."""
        while self._due and self._due[0][0] <= now_ms:
            due_ms, ladder, alarm_id = heapq.heappop(self._due)
            standing, row = self._standings.get((ladder, alarm_id)), self._rows.get(alarm_id)
            if standing is not None and row is not None and standing.progress.due_ms == due_ms:
                self._look(self._duty.ladders[ladder], row, now_ms)
                self._let_go(row)
        for one in self._duty.ladders.values():
            held = self._throttles[one.id].flush(now_ms)
            if held:
                self._tell_together(one, [self._rows[alarm_id] for alarm_id in held], now_ms)

    def next_ms(self) -> int | None:
        """Return when something is due next; None: nothing is."""
        times = [throttle.flush_ms for throttle in self._throttles.values()] + [one[0] for one in self._due[:1]]
        return min((at_ms for at_ms in times if at_ms is not None), default=None)

    def settle(self, letter: Letter, state: Delivery, now_ms: int) -> None:
        """Take what became of a letter; when none of a turn has arrived, the next step is due at once."""
        ladder = self._duty.ladders.get(letter.ladder)
        if ladder is None or letter.kind is Kind.OVER or state is Delivery.QUEUED:
            return
        for alarm_id in letter.alarm_ids:
            counted = self._turns.get((ladder.id, alarm_id, letter.turn))
            if counted is None:
                continue
            counted[0] -= 1
            counted[1] += state is not Delivery.FAILED
            if counted[0] <= 0:
                del self._turns[ladder.id, alarm_id, letter.turn]
                standing = self._standings.get((ladder.id, alarm_id))
                if not counted[1] and standing is not None:
                    sooner = hasten(standing.progress, ladder, letter.turn, now_ms)
                    self._put((ladder.id, alarm_id), replace(standing, progress=sooner))

    # --- one alarm on one ladder ---------------------------------------------------------------------------------

    def _look(self, ladder: Ladder, row: Row, now_ms: int) -> None:
        key = ladder.id, row["alarm_id"]
        standing, throttle = self._standings.get(key), self._throttles[ladder.id]
        step = take(row, ladder, None if standing is None else standing.progress, now_ms)
        told = () if standing is None else standing.told
        if step.turn is None:
            throttle.drop(row["alarm_id"])
            self._put(key, Standing(step.progress, told))
        elif throttle.holds(row["alarm_id"]) or not throttle.admits(now_ms):
            throttle.hold(row["alarm_id"], row["tier"], now_ms)
            before = begin(row, None if standing is None else standing.progress)
            self._put(key, Standing(replace(before, due_ms=before.due_ms or now_ms), told), watched=False)
        else:
            kind = Kind.OVERDUE if step.turn else Kind.ALARM
            self._put(key, Standing(step.progress, told))
            self._tell(ladder, step.step, step.turn, [row], kind, now_ms)

    def _tell_together(self, ladder: Ladder, rows: Sequence[Row], now_ms: int) -> None:
        """Tell of all that waited: one message for all that are at the same step."""
        groups: dict[int, list[tuple[Take, Row]]] = {}
        for row in rows:
            key = ladder.id, row["alarm_id"]
            standing = self._standings[key]
            step = take(row, ladder, standing.progress, now_ms)
            self._put(key, replace(standing, progress=step.progress))
            if step.turn is not None:
                groups.setdefault(step.turn, []).append((step, row))
        for group in groups.values():
            kind = Kind.STORM if len(group) > 1 else Kind.OVERDUE if group[0][0].turn else Kind.ALARM
            first = group[0][0]
            self._tell(ladder, first.step, first.turn or 0, [row for _, row in group], kind, now_ms)
        for row in rows:
            self._let_go(row)

    def _tell(self, ladder: Ladder, step: int, turn: int, rows: Sequence[Row], kind: Kind, now_ms: int) -> None:
        where: Step = ladder.steps[step]
        people = on_duty(self._duty, where.role, self.swaps, now_ms)
        about = sorted((row["alarm_id"], row["alarmed_ms"], row["tier"], *_late(row, turn)) for row in rows)
        payload = payload_of(kind, rows, self._plant, self._duty.zone, self._base_url)
        for channel in where.channels:
            self._post(
                Letter(
                    key=key_of(kind.value, ladder.id, about, turn, channel, people),
                    kind=kind,
                    ladder=ladder.id,
                    tier=min(row["tier"] for row in rows),
                    alarm_ids=tuple(row["alarm_id"] for row in rows),
                    alarmed_ms=rows[0]["alarmed_ms"] if len(rows) == 1 else None,
                    turn=turn,
                    role=where.role,
                    people=people,
                    channel=channel,
                    deadline_ms=now_ms + ladder.give_up_ms,
                    payload=payload,
                    created_ms=now_ms,
                    next_try_ms=now_ms,
                )
            )
        if len(rows) == 1 and ladder.tell_over and rows[0]["state"] in GOES_ON and turn != _OVERDUE_TURN:
            key = ladder.id, rows[0]["alarm_id"]
            standing = self._standings[key]
            told = dict.fromkeys((*standing.told, *((channel, where.role, people) for channel in where.channels)))
            self._put(key, replace(standing, told=tuple(told)))

    def _tell_over(self, key: tuple[str, str], row: Row, now_ms: int) -> None:
        standing, ladder = self._standings[key], self._duty.ladders[key[0]]
        if not standing.told:
            return
        self._put(key, replace(standing, told=()))
        if not self._throttles[ladder.id].admits(now_ms):
            self.over_untold += 1
            return
        payload = payload_of(Kind.OVER, [row], self._plant, self._duty.zone, self._base_url)
        for channel, role, people in standing.told:
            self._post(
                Letter(
                    key=key_of("over", ladder.id, row["alarm_id"], row["alarmed_ms"], row["tier"], channel, people),
                    kind=Kind.OVER,
                    ladder=ladder.id,
                    tier=row["tier"],
                    alarm_ids=(row["alarm_id"],),
                    alarmed_ms=row["alarmed_ms"],
                    turn=standing.progress.taken,
                    role=role,
                    people=people,
                    channel=channel,
                    deadline_ms=now_ms + ladder.give_up_ms,
                    payload=payload,
                    created_ms=now_ms,
                    next_try_ms=now_ms,
                )
            )

    def _post(self, letter: Letter) -> None:
        self.letters.append(letter)
        self._count(letter)

    def _count(self, letter: Letter) -> None:
        if letter.kind in (Kind.OVER, Kind.SELF_TEST) or letter.turn == _OVERDUE_TURN:
            return
        for alarm_id in letter.alarm_ids:
            self._turns.setdefault((letter.ladder, alarm_id, letter.turn), [0, 0])[0] += 1

    def _put(self, key: tuple[str, str], standing: Standing, *, watched: bool = True) -> None:
        if self._standings.get(key) != standing:
            self._standings[key] = standing
            self.changed[key] = standing
        if watched and standing.progress.due_ms is not None:
            heapq.heappush(self._due, (standing.progress.due_ms, *key))

    def _let_go(self, row: Row) -> None:
        """Forget an alarm that is over, once there is nothing left to be told of it."""
        if row["state"] != "cleared":
            return
        keys = [(ladder, row["alarm_id"]) for ladder in self._duty.ladders]
        for key in keys:
            standing = self._standings.get(key)
            if standing is not None and standing.progress.due_ms is None:
                self._forget(key)
        if not any(key in self._standings for key in keys):
            self._rows.pop(row["alarm_id"], None)

    def _forget(self, key: tuple[str, str]) -> None:
        del self._standings[key]
        self.changed[key] = None


def _late(row: Row, turn: int) -> tuple[str, ...]:
    """Return what is late, where a message is about that: the same alarm may be late twice."""
    return (row["overdue"],) if turn == _OVERDUE_TURN else ()
