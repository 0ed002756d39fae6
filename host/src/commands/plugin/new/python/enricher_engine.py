"""The component in the engine of production. `wasmill plugin test` builds it and runs them."""

import unittest

from wasmill_testing import examples, run


class Engine(unittest.TestCase):
    def test_example_events_fare_as_they_should(self):
        zones = [one["payload"]["source"].get("zone") for one in run(examples())]
        self.assertEqual(zones, ["inside", "outside", "inside", None, "outside"])

    def test_an_event_without_address_stays_as_it_is(self):
        self.assertEqual(run([{"source": {}}])[0]["payload"], {"source": {}})
