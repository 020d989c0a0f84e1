#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What others say of builds whose differences are known (tests/programs/builds.c), beside probekit compare:
compare-others.py BUILD HEAD TRIALS [PAIRS] [CALLS] [MODE]. HEAD is "base" for one build against itself, else "p50", "p99" or
"tail". Each trial is one comparison; all are asked one question, is head slower, at a level of 0.05, one-sided:

  probekit compare   the spans that are regressions
  pooled             Mann-Whitney's U of a span's calls in all of the same runs put together (20 spans: Bonferroni)
  pooled, 2 %        the same, and its pooled median is at least 2 % longer: probekit's --delta
  hyperfine          Welch's t of whole runs' times, without probekit, as many runs as probekit made

Counts the trials in which each accuses work:f07, which is what differs, and in which any other span; of one build
against itself, any span. hyperfine knows no spans: its is the whole program. Needs root, hyperfine and scipy
(python3-scipy, for the distribution's python3).
"""
import json
import os
import subprocess
import sys
import tempfile

from scipy import stats

LEVEL = 0.05
DELTA = 0.02
NAMES = ["work:f%02d" % i for i in range(20)]
CHANGED = "work:f07"


def pooled(path):
    """Of each span its calls in all runs, each at the middle of its bucket, in ascending order."""
    counts = {name: {} for name in NAMES}
    for run in json.load(open(path))["runs"]:
        for probe in run["probes"]:
            if probe["name"] not in counts:
                continue
            histogram = probe["histogram"]
            of_probe = counts[probe["name"]]
            for index, count in histogram["buckets"]:
                value = 2 ** ((index + 0.5) / 2 ** histogram["scale"])
                of_probe[value] = of_probe.get(value, 0) + count
    return {
        name: [value for value in sorted(of_probe) for _ in range(of_probe[value])]
        for name, of_probe in counts.items()
    }


def pooled_slower(folder):
    base, head = pooled(folder + "/base"), pooled(folder + "/head")
    certain = {
        name
        for name in NAMES
        if stats.mannwhitneyu(head[name], base[name], alternative="greater").pvalue
        <= LEVEL / len(NAMES)
    }
    median = lambda values: values[len(values) // 2]
    return certain, {n for n in certain if median(head[n]) >= (1 + DELTA) * median(base[n])}


def compare(build, mode, pairs, base, head, calls, folder):
    done = subprocess.run(
        [build + "/probekit", "compare", "--mode", mode, "--pairs", pairs, "--base", base, "--head", head,
         "--save-base", folder + "/base", "--save-head", folder + "/head", "-o", folder + "/json", "--", calls],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 4, 5):
        sys.exit(done.stderr)
    report = json.load(open(folder + "/json"))
    return report["mode"], {c["probe"] for c in report["changes"] if c["verdict"] == "regress"}


def hyperfine(pairs, base, head, calls, folder):
    subprocess.run(
        ["hyperfine", "--runs", pairs, "--warmup", "1", "--export-json", folder + "/times",
         base + " " + calls, head + " " + calls],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    times = [result["times"] for result in json.load(open(folder + "/times"))["results"]]
    is_slower = stats.ttest_ind(times[1], times[0], equal_var=False, alternative="greater").pvalue <= LEVEL
    return {"the program"} if is_slower else set()


def main():
    build, kind, trials = sys.argv[1], sys.argv[2], int(sys.argv[3])
    pairs = sys.argv[4] if len(sys.argv) > 4 else "6"
    calls = sys.argv[5] if len(sys.argv) > 5 else "1000"
    asked = sys.argv[6] if len(sys.argv) > 6 else "auto"
    base = build + "/tests/programs/builds"
    head = base if kind == "base" else base + "_" + kind
    accused = {"probekit compare": [], "pooled": [], "pooled, 2 %": [], "hyperfine": []}
    modes = []
    for trial in range(trials):
        with tempfile.TemporaryDirectory() as folder:
            mode, slower = compare(build, asked, pairs, base, head, calls, folder)
            modes.append(mode)
            accused["probekit compare"].append(slower)
            certain, by_delta = pooled_slower(folder)
            accused["pooled"].append(certain)
            accused["pooled, 2 %"].append(by_delta)
            accused["hyperfine"].append(hyperfine(pairs, base, head, calls, folder))
        last = {name: sorted(sets[-1]) for name, sets in accused.items()}
        print(f"{trial + 1}: {mode}, load {os.getloadavg()[0]:.0f}: {last}", file=sys.stderr, flush=True)
    print(f"{kind}: {trials} trials, {pairs} pairs, {', '.join(sorted(set(modes)))}")
    for name, sets in accused.items():
        others = sum(bool(one - {CHANGED}) for one in sets)
        if kind == "base":
            print(f"  {name}: {sum(map(bool, sets))} call it slower")
        elif name == "hyperfine":
            print(f"  {name}: {others} call the program slower")
        else:
            print(f"  {name}: {sum(CHANGED in one for one in sets)} find {CHANGED}, {others} accuse another")


main()
