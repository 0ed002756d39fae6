"""The plugin's functions by themselves, in this machine's Python."""

import unittest

from plugin import Added, Event, configure, enrich


class Unit(unittest.TestCase):
    def test_zone_is_that_of_the_address(self):
        config = configure({"inside": "192.0.2."})
        self.assertEqual(enrich(Event("192.0.2.9"), config), Added("inside"))
        self.assertEqual(enrich(Event("10.1.2.3"), config), Added("outside"))
