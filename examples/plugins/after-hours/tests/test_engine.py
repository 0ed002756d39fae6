"""The component in the engine of production. `wasmill plugin test` builds it and runs them."""

import unittest

from wasmill_testing import examples, run


class Engine(unittest.TestCase):
    def test_example_events_fare_as_they_should(self):
        outcomes = run(examples())
        self.assertTrue(all(one["outcome"] == "passed" for one in outcomes))
        self.assertEqual([alert["key"] for one in outcomes for alert in one["alerts"]], ["root", "chidi"])

    def test_the_operator_says_when_people_work(self):
        outcomes = run(examples(), {"days": ["sat", "sun"], "begin": 0, "end": 24})
        self.assertEqual([alert["key"] for one in outcomes for alert in one["alerts"]], ["ann", "root"])
