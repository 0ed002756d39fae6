"""The component in the engine of production. `wasmill plugin test` builds it and runs them."""

import unittest

from wasmill_testing import examples, run


class Engine(unittest.TestCase):
    def test_example_events_fare_as_they_should(self):
        outcomes = [one.get("code", one["outcome"]) for one in run(examples())]
        self.assertEqual(outcomes, ["passed", "passed", "unknown_severity", "dropped", "passed"])

    def test_an_event_without_severity_is_rejected(self):
        outcomes = run([{"message": "disk is full"}, {"severity": 7, "message": "disk is full"}])
        self.assertEqual([one["code"] for one in outcomes], ["missing_field", "wrong_type"])
