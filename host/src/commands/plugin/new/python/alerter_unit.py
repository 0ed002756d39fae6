"""The plugin's functions by themselves, in this machine's Python."""

import unittest

from plugin import Event, configure, watch


class Unit(unittest.TestCase):
    def test_failed_logins_are_told_with_their_user(self):
        config = configure({})
        self.assertIsNone(watch(Event("request served", None, None), config))
        self.assertEqual(watch(Event("login failed", "ann", None), config).key, "ann")
