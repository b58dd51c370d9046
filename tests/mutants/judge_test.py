#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""judge_test.py: source_judge.py without a mutant: a busy machine kills none, and what goes wrong is heard of."""
import sys
import unittest

sys.dont_write_bytecode = True
import source_judge

SLOW = [['HEP-SEC-001', 'slow', 'fail', 'timed out after 15 s']]
WRONG = [['HEP-SEC-001', 'slow', 'fail', 'is 1, not 2']]
RIGHT = [['HEP-SEC-001', 'slow', 'pass', '']]


class Ticking(list):
    """What a mutant's tests say when they are asked alone, which takes a second."""

    def __init__(self, clock):
        super().__init__(RIGHT)
        self.clock = clock

    def __iter__(self):
        self.clock[0] = 1
        return super().__iter__()


class Judge(unittest.TestCase):
    def driver(self, first, again, until=float('inf')):
        """Verdicts of two mutants, the first one by hand, whose tests say first, and again when they are asked alone."""
        asked = []

        def boot(driver, plan, timeout, done=None, still=source_judge.STILL_VM):
            numbers = [int(line.split()[0]) for line in plan]
            if numbers == [0]:
                return {0: [RIGHT, '', {'slow': (1.0, {1, 2})}]}
            alone = still > source_judge.STILL_VM
            asked.append(numbers)
            seen = {n: [again if alone else first, '', {}] for n in numbers}
            for n, s in seen.items():
                if done:
                    done(n, s)
            return seen

        verdicts = {}
        was, source_judge.Driver.boot = source_judge.Driver.boot, boot
        try:
            _, why, late = source_judge.judge_driver([{'number': n, 'file': 'f', 'line': n, 'breaks': 'HEP-SEC-001' * (n == 1)} for n in (1, 2)],
                                               '', ['slow'], [], {}, 1,
                                               lambda m, verdict, killers: verdicts.update({m['number']: verdict}), until)
        finally:
            source_judge.Driver.boot = was
        self.assertEqual(why, '')
        self.assertEqual(late, 2 - len(verdicts))
        return verdicts, asked

    def test_slow_vm(self):
        self.assertEqual(self.driver(SLOW, RIGHT), ({1: 'survives', 2: 'survives'}, [[1, 2], [1], [2]]))

    def test_hang(self):
        self.assertEqual(self.driver(SLOW, SLOW)[0], {1: 'killed', 2: 'killed'})

    def test_wrong(self):
        self.assertEqual(self.driver(WRONG, RIGHT), ({1: 'killed', 2: 'killed'}, [[1, 2]]))

    def test_no_time_left(self):
        """It runs out while the first one is asked again."""
        clock = [0]
        was, source_judge.time = source_judge.time, type('time', (), {'monotonic': lambda: clock[0]})
        again = Ticking(clock)
        try:
            self.assertEqual(self.driver(SLOW, again, 1), ({1: 'survives'}, [[1, 2], [1]]))
        finally:
            source_judge.time = was

    def test_no_time(self):
        self.assertEqual(self.driver(WRONG, RIGHT, 0), ({1: 'killed'}, [[1]]))
        self.assertEqual(self.driver(SLOW, RIGHT, 0), ({1: 'survives'}, [[1], [1]]))

    def test_worker_raises(self):
        def work(i):
            if i == 3:
                raise ValueError(i)

        self.assertRaises(ValueError, source_judge.in_parallel, range(8), work, 2)


if __name__ == '__main__':
    unittest.main()
