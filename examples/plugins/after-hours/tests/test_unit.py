"""The plugin's functions by themselves, in this machine's Python."""

import unittest
from datetime import UTC, datetime

from plugin import Event, configure, watch


def login(text: str) -> Event:
    at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return Event("login", "ann", "web-1", int(at.timestamp()) * 1_000_000_000)


class Unit(unittest.TestCase):
    def test_hours_begin_and_end_to_the_minute(self):
        hours = configure({})
        # 2026-01-05 is a Monday.
        self.assertIsNone(watch(login("2026-01-05T07:00"), hours))
        self.assertIsNone(watch(login("2026-01-05T18:59"), hours))
        for text in ["2026-01-05T06:59", "2026-01-05T19:00", "2026-01-04T12:00"]:
            self.assertEqual(watch(login(text), hours).key, "ann")

    def test_hours_are_those_of_the_place(self):
        self.assertIsNone(watch(login("2026-01-05T22:00"), configure({"utc_offset_minutes": -300})))

    def test_days_are_those_that_the_operator_names(self):
        sunday = login("2026-01-04T12:00")
        self.assertIsNone(watch(sunday, configure({"days": ["sat", "sun"]})))
        self.assertEqual(watch(sunday, configure({})).key, "ann")

    def test_nothing_but_logins_is_told(self):
        self.assertIsNone(watch(Event("logout", "ann", None, 0), configure({})))
        self.assertIsNone(watch(Event(None, None, None, 0), configure({})))

    def test_hours_that_make_no_sense_are_refused(self):
        for config in [{"days": ["monday"]}, {"days": "mon"}, {"begin": 19, "end": 7}, {"end": 25}, {"utc_offset_minutes": 1.5}]:
            with self.assertRaises(ValueError):
                configure(config)
