"""Shares of a vault."""

import unittest

import toy  # pylint: disable=unused-import

import modelvault as mv


class AllocateTest(unittest.TestCase):
    def test_bytes_buy_the_same_everywhere(self):
        needs = {"a": 1.0, "b": 4.0, "c": 0.25}
        given = mv.allocate(7000, needs, decay=1.0)
        self.assertAlmostEqual(sum(given.values()), 7000, delta=1)
        slopes = [needs[n] / given[n]**2 for n in needs]
        self.assertAlmostEqual(max(slopes) / min(slopes), 1.0, places=3)

    def test_bounds(self):
        given = mv.allocate(3000, {"a": 100.0, "b": 1.0, "c": 0.0}, least=400, most=1500)
        self.assertAlmostEqual(sum(given.values()), 3000, delta=1)
        self.assertEqual(given["a"], 1500)
        self.assertEqual(given["c"], 400)
        self.assertEqual(mv.allocate(1e9, {"a": 1.0}, most=10), {"a": 10})

    def test_errors(self):
        for pattern, arguments, options in (("do not go into 100", (100, {"a": 1.0, "b": 1.0}), {"least": 60}),
                                            ("need of 'a' is nan", (100, {"a": float("nan")}), {}),
                                            ("decay must be positive", (100, {"a": 1.0}), {"decay": 0})):
            with self.subTest(pattern):
                with self.assertRaisesRegex(mv.AttachError, pattern):
                    mv.allocate(*arguments, **options)


if __name__ == "__main__":
    unittest.main()
