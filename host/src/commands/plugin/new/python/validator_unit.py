"""The plugin's functions by themselves, in this machine's Python."""

import unittest

from plugin import Event, check, configure
from wasmill import DROP, PASS


class Unit(unittest.TestCase):
    def test_only_known_severities_with_a_message_pass(self):
        config = configure({})
        self.assertEqual(check(Event("INFO", "request served"), config), PASS)
        self.assertEqual(check(Event("LOUD", "disk is full"), config).code, "unknown_severity")
        self.assertEqual(check(Event("WARN", None), config), DROP)

    def test_the_operator_says_which_severities_are_known(self):
        config = configure({"severities": ["LOUD"]})
        self.assertEqual(check(Event("LOUD", "disk is full"), config), PASS)

    def test_severities_that_are_no_list_are_refused(self):
        with self.assertRaisesRegex(ValueError, "list of texts"):
            configure({"severities": "INFO"})
