# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Figures, and the table that shows them."""
import math
import statistics


class Figure:
    """A measured quantity. `limit` holds for the median."""

    def __init__(self, what, median, p95, unit, limit=None, count=None):
        self.what, self.median, self.p95, self.unit, self.limit, self.count = what, median, p95, unit, limit, count

    def cells(self):
        digits = {"ms": 2, "us": 1, "ns": 0, "x": 2}[self.unit]
        number = lambda value: f"{value:.{digits}f} {self.unit}"
        limit = "" if self.limit is None else f"<= {self.limit:g} {self.unit}"
        verdict = "" if self.limit is None else "ok" if self.median <= self.limit else "over"
        runs = "" if self.count is None else str(self.count)
        return [self.what, number(self.median), number(self.p95), limit, verdict, runs]


class Section:
    def __init__(self, title):
        self.title = title


class Skipped:
    def __init__(self, what, reason):
        self.what, self.reason = what, reason


def p95(samples):
    return sorted(samples)[math.ceil(0.95 * len(samples)) - 1]


def figure(what, samples, unit, limit=None):
    return Figure(what, statistics.median(samples), p95(samples), unit, limit, len(samples))


def difference(what, one, other, limit=None):
    return Figure(what, one.median - other.median, one.p95 - other.p95, one.unit, limit)


def ratio(what, one, other, limit=None):
    return Figure(what, one.median / other.median, one.p95 / other.p95, "x", limit)


HEADINGS = ["", "median", "p95", "limit", "", "runs"]


def print_table(lines):
    """`lines`: of Figure, Section and Skipped."""
    rows = [line.cells() for line in lines if isinstance(line, Figure)]
    widths = [max(len(cell) for cell in column) for column in zip(HEADINGS, *rows)]

    def aligned(cells):
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        return "  ".join(["  " + cells[0].ljust(widths[0]), *rest]).rstrip()

    print(aligned(HEADINGS))
    for line in lines:
        if isinstance(line, Section):
            print(f"\n{line.title}")
        elif isinstance(line, Skipped):
            print(f"  {line.what.ljust(widths[0])}  skipped: {line.reason}")
        else:
            print(aligned(line.cells()))
