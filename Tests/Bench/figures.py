"""What was measured, kept raw and put side by side."""

import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: what, in which unit, against whom, and what is to be reached.

    `reach` is ">=" or "<=" or "" (told only) and a number. It is compared with ours / peer, or with our own figure when
    `peer` is empty.
    """

    key: str
    what: str
    unit: str
    peer: str = ""
    reach: tuple[str, float] | None = None


class Figures:
    """Takes figures and writes each to the raw file at once."""

    def __init__(self, path):
        self.values = defaultdict(list)
        self.raw = open(path, "a", buffering=1, encoding="utf-8")

    def add(self, key, side, value):
        """`side` is "ours" or "peer"; anything else is kept raw and not shown."""
        self.values[key, side].append(value)
        self.raw.write(f"{key} {side} {value:.6g}\n")
        print(f"  {key:28} {side:14} {value:>14,.6g}", file=sys.stderr, flush=True)

    def note(self, words):
        self.raw.write(f"# {words}\n")
        print(f"  {words}", file=sys.stderr, flush=True)

    def median(self, key, side):
        values = self.values.get((key, side))
        return statistics.median(values) if values else None

    def table(self, rows):
        lines = [
            f"{'median of the rounds':50} {'n':>2} {'ours':>10} {'peer':>10}   {'unit, peer':26} "
            f"{'ratio':>6}  {'to reach':9} met"
        ]
        for row in rows:
            ours, peer = self.median(row.key, "ours"), self.median(row.key, "peer")
            if ours is None or (row.peer and peer is None):
                continue
            ratio = ours / peer if row.peer and peer else None
            lines.append(
                f"{row.what:50} {len(self.values[row.key, 'ours']):>2} {_short(ours):>10} {_short(peer):>10}   "
                f"{f'{row.unit}, {row.peer}'.rstrip(', '):26} "
                f"{'-' if ratio is None else f'{ratio:.2f}':>6}  "
                f"{f'{row.reach[0]} {row.reach[1]:g}' if row.reach else '-':9} {_met(row, ours, ratio)}"
            )
        return "\n".join(lines)


def _met(row, ours, ratio):
    if row.reach is None:
        return ""
    sign, bound = row.reach
    figure = ours if ratio is None else ratio
    return "yes" if (figure >= bound if sign == ">=" else figure <= bound) else "NO"


def _short(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
