"""Rows of the bench: taken in interleaved rounds, printed as a table, kept as JSON, made into the tables of
docs/performance.md."""

import json
import os
import statistics
import sys
import time

import sides

BEGUN = time.monotonic()


class Rows:
    """The rows of one run, in order, by the part that made them."""

    def __init__(self):
        self.rows, self.name = [], ""
        self.told = time.monotonic()

    def progress(self, text):
        """What is going on, where someone watches; elsewhere a line when nothing was printed for long."""
        line = f"[{time.monotonic() - BEGUN:4.0f} s] {self.name}: {text}"
        if sys.stderr.isatty():
            print(f"\r\033[K{line[:150]}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.told > 20:
            self.told = time.monotonic()
            print(line, file=sys.stderr, flush=True)

    def add(self, part, side, **row):
        """row: text, for a person, and value, or the figures of a comparison (row_of)."""
        row = {"of": self.name, "part": part, "side": side, **row}
        self.rows.append(row)
        self.told = time.monotonic()
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        print(f"{part:<28} {side:<26} " + (comparison(row) if "cpu_us" in row else row["text"]), flush=True)
        return row

    def compare(self, bench, part, program, all_sides, options, rounds):
        """Interleaved rounds over all sides; a row each, with ratios of medians to the first side. A side may be None,
        not there, or a list: several of its kind, which take turns, because one process may be luckier with its memory
        than the next for all its life. options: a list, or a function of (side, round)."""
        kinds = [side if isinstance(side, list) else [side] for side in all_sides if side]
        all_sides = [kind[0] for kind in kinds]
        found = {side.name: [] for side in all_sides}
        for number in range(rounds):
            for kind in kinds[number % len(kinds):] + kinds[: number % len(kinds)]:
                side = kind[number % len(kind)]
                self.progress(f"{part}, round {number + 1} of {rounds}, {side.name}")
                more = options(side, number) if callable(options) else options
                found[side.name].append(sides.load(bench, program, side, [*side.options, *more]))
        rows = [row_of(side, found[side.name]) for side in all_sides]
        for index, (row, side) in enumerate(zip(rows, all_sides)):
            row["ratio_throughput"] = row["per_s"] / rows[0]["per_s"]
            row["ratio_cpu"] = row["cpu_us"] / rows[0]["cpu_us"] if rows[0]["cpu_us"] else 0
            # Of the rounds' own ratios: what all sides of a round suffer from is not in it.
            ratios = [cost(one) / cost(base) if cost(base) else 0
                      for one, base in zip(found[side.name], found[all_sides[0].name])]
            row["spread_ratio"] = (max(ratios) - min(ratios)) / 2
            rows[index] = self.add(part, side.name, **row)
        return rows


def cost(one):
    return sum(one["cpu"].values()) / one["count"] * 1e6


def row_of(side, found):
    costs, rates = [cost(one) for one in found], [one["count"] / one["seconds"] for one in found]
    row = {"per_s": statistics.median(rates), "cpu_us": statistics.median(costs),
           "wrong": sum(one["wrong"] for one in found),
           "spread": (max(costs) - min(costs)) / 2 / statistics.median(costs) if any(costs) else 0,
           "rounds": len(found),
           "cpu_us_of": {name: statistics.median(one["cpu"][name] / one["count"] * 1e6 for one in found)
                         for name in side.processes}}
    for name in ("p50_us", "p99_us", "p999_us"):
        row[name] = statistics.median(one[name] for one in found)
    return row


def comparison(row):
    each = " ".join(f"{name} {value:.2f}" for name, value in row["cpu_us_of"].items())
    return (f"{row['per_s']:>9.0f}/s {row['ratio_throughput']:>5.2f}x  cpu {row['cpu_us']:>8.2f} us "
            f"{row['ratio_cpu']:>5.2f}x ±{row['spread_ratio']:.2f}"
            f"  p50 {row['p50_us']:>6.0f} p99 {row['p99_us']:>6.0f} p99.9 {row['p999_us']:>6.0f} us  [{each}]"
            + (f"  WRONG {row['wrong']}" if row["wrong"] else ""))


# ---- what is kept ----------------------------------------------------------------------------------------------------


def save(folder, version, rows, quick):
    """Puts the parts that were run in the place of their older selves; returns the file."""
    file = folder / f"bench-{version}.json"
    kept = json.loads(file.read_text()) if file.exists() else {"haproxy": version, "parts": {}}
    for name in {row["of"]: None for row in rows}:
        kept["parts"][name] = {"when": time.strftime("%Y-%m-%d %H:%M"), "quick": quick, "cores": os.cpu_count(),
                               "load": os.getloadavg(),
                               "rows": [row for row in rows if row["of"] == name]}
    file.write_text(json.dumps(kept, indent=1))
    return file


# ---- tables for docs/performance.md ----------------------------------------------------------------------------------


def markdown(folder):
    """Tables of all that is kept: a column for each version of HAProxy."""
    files = sorted(folder.glob("bench-[0-9]*.json"), key=lambda file: [int(n) for n in file.stem[6:].split(".")])
    kept = {file.stem[6:]: json.loads(file.read_text()) for file in files}
    lines = []
    for version, one in kept.items():
        said = [f"{name} ({'quick, ' if part['quick'] else ''}{part['when']}, load {part['load'][0]:.1f})"
                for name, part in one["parts"].items()]
        lines.append(f"HAProxy {version}: {', '.join(said)}.")
    names = list(dict.fromkeys(name for one in kept.values() for name in one["parts"]))
    for name in names:
        lines += ["", f"#### {name}", ""]
        rows = {version: one["parts"].get(name, {"rows": []})["rows"] for version, one in kept.items()}
        rows = {version: found for version, found in rows.items() if found}
        lines += ratio_table(rows) + rate_table(rows) + text_table(rows)
    return "\n".join(lines)


def by_key(rows, wanted):
    """(part, side) -> version -> row"""
    found = {}
    for version, some in rows.items():
        for row in some:
            if ("cpu_us" in row) == wanted:
                found.setdefault((row["part"], row["side"]), {})[version] = row
    return found


def head(*names):
    return ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]


def ratio_table(rows):
    found = by_key(rows, True)
    if not found:
        return []
    lines, last = head("CPU", "", *rows), None
    for (part, side), versions in found.items():
        cells = []
        for version in rows:
            row = versions.get(version)
            if not row:
                cells.append("")
            elif part != last:
                cells.append(f"{row['cpu_us']:.2f} us")
            elif row["ratio_cpu"] == 0:  # the first row has no process
                cells.append(f"{row['cpu_us']:.2f} us")
            else:
                cells.append(f"{row['ratio_cpu']:.2f} ± {row['spread_ratio']:.2f}")
        lines.append(f"| {part if part != last else ''} | {side} | {' | '.join(cells)} |")
        last = part
    return [*lines, ""]


def rate_table(rows):
    found = by_key(rows, True)
    if not found:
        return []
    lines, last = head("a second, a core-second, p50 / p99 / p99.9", "", *rows), None
    for (part, side), versions in found.items():
        cells = []
        for version in rows:
            row = versions.get(version)
            a_core = f"{1e6 / row['cpu_us']:,.0f}" if row and row["cpu_us"] else "-"
            cells.append(f"{row['per_s']:,.0f}, {a_core}, {row['p50_us'] / 1000:.2f} / {row['p99_us'] / 1000:.2f} / "
                         f"{row['p999_us'] / 1000:.2f} ms" if row else "")
        lines.append(f"| {part if part != last else ''} | {side} | {' | '.join(cells)} |")
        last = part
    return [*lines, ""]


def text_table(rows):
    found = by_key(rows, False)
    if not found:
        return []
    lines = head("", "", *rows)
    for (part, side), versions in found.items():
        lines.append(f"| {part} | {side} | "
                     f"{' | '.join(versions[version]['text'] if version in versions else '' for version in rows)} |")
    return [*lines, ""]
