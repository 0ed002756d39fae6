"""The component in the engine of production. `wasmill plugin test` builds it and runs them."""

import unittest

from wasmill_testing import examples, run


class Engine(unittest.TestCase):
    def test_example_events_fare_as_they_should(self):
        outcomes = run(examples())
        self.assertTrue(all(one["outcome"] == "passed" for one in outcomes))
        self.assertEqual([alert["key"] for one in outcomes for alert in one["alerts"]], ["root", "chidi"])

    def test_a_configuration_that_makes_no_sense_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "the end after the begin"):
            run(examples(), {"begin": 19, "end": 7})
