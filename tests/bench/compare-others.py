#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What others say of builds whose differences are known (tests/programs/builds.c), beside probekit compare:
compare-others.py BUILD HEAD TRIALS [PAIRS] [CALLS]. HEAD is "base" for one build against itself, else "p50", "p99" or
"tail". Counts in how many trials each calls the two different:

  probekit compare   work:f07 is a regression (of one build: anything is)
  pooled spans       Mann-Whitney's U of work:f07's spans of all the same runs put together, p <= 0.05
  pooled, all        the same of any of the twenty spans (Bonferroni)
  hyperfine          Welch's t of whole runs' times, as many as probekit made, p <= 0.05

Needs root, hyperfine and scipy (python3-scipy).
"""
import json
import subprocess
import sys
import tempfile

from scipy import stats


def pooled(path, name):
    """The spans of all runs, each at its bucket's number."""
    counts = {}
    for run in json.load(open(path))["runs"]:
        for probe in run["probes"]:
            if probe["name"] == name:
                for index, count in probe["histogram"]["buckets"]:
                    counts[index] = counts.get(index, 0) + count
    return [index for index, count in counts.items() for _ in range(count)]


def differs(folder, names):
    level = 0.05 / len(names)
    return any(
        stats.mannwhitneyu(pooled(folder + "/base", name), pooled(folder + "/head", name)).pvalue
        <= level
        for name in names
    )


def main():
    build, kind, trials = sys.argv[1], sys.argv[2], int(sys.argv[3])
    pairs = sys.argv[4] if len(sys.argv) > 4 else "6"
    calls = sys.argv[5] if len(sys.argv) > 5 else "1000"
    base = build + "/tests/programs/builds"
    head = base if kind == "base" else base + "_" + kind
    names = ["work:f%02d" % i for i in range(20)]
    found = {"probekit compare": 0, "pooled spans": 0, "pooled, all": 0, "hyperfine": 0}
    for _ in range(trials):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [build + "/probekit", "compare", "--pairs", pairs, "--base", base, "--head", head,
                 "--save-base", folder + "/base", "--save-head", folder + "/head",
                 "-o", folder + "/json", "--", calls],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            changes = json.load(open(folder + "/json"))["changes"]
            found["probekit compare"] += any(
                change["verdict"] == "regress"
                and (kind == "base" or change["probe"] == "work:f07")
                for change in changes)
            found["pooled spans"] += differs(folder, ["work:f07"])
            found["pooled, all"] += differs(folder, names)
            subprocess.run(
                ["hyperfine", "--runs", pairs, "--warmup", "1", "--export-json",
                 folder + "/times", base + " " + calls, head + " " + calls],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            times = [result["times"] for result in json.load(open(folder + "/times"))["results"]]
            found["hyperfine"] += stats.ttest_ind(*times, equal_var=False).pvalue <= 0.05
    for name, count in found.items():
        print(f"{kind}: {name}: {count} of {trials}")


main()
