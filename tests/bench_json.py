#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""bench_json.py schema FILE VERB | same FILE... | sizes FILE... | topology FILE | columns FILE.csv | paced FILE | loaded FILE GB/S | shared FILE GB/S [PARTS] | has FILE KEY=VALUE...: is that document of hslbench what it should be?

schema: of tools/hslbench/hslbench-1.schema.json, with measured results of that verb, numbers that agree with each other, nothing wrong.
same: all are one document apart from the environment.
sizes: each result is as in the first one, whatever was measured before it.
topology: a modelled matrix shows the topology: bandwidth falls and latency grows with each link more, and only with that.
loaded: of load --op link: latency grows with what links carry, which is their goodput at most.
shared: each result fills what its streams share, PARTS times that much and no more, and each stream gets the same.
paced: commands were due at a pace, and not done before.
columns: of a CSV: all that the schema has of a result, and nothing else.
has: there is a result with all these values.
"""
import json
import os
import sys


def fail(text):
    sys.exit("bench_json.py: " + text)


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f, parse_constant=lambda c: fail("%s is not JSON" % c))


def consistent(r):
    lat = r["latency_ns"]
    order = [lat[k] for k in ("min", "p50", "p90", "p95", "p99", "p99_9", "max")]
    if lat["p50"] is not None:
        if order != sorted(order):
            fail("percentiles fall: %s" % r)
        if not lat["min"] - 0.01 <= lat["mean"] <= lat["max"] + 0.01:
            fail("mean outside of minimum and maximum: %s" % r)
    speed = [r[k] for k in ("bytes_per_s_min", "bytes_per_s", "bytes_per_s_max")]
    if None not in speed and not speed[0] <= speed[1] * 1.001 + 1 <= speed[2] * 1.002 + 3:
        fail("average outside of the windows: %s" % r)
    if r["ops_per_s"] and r["duration_ns"] and abs(r["ops_per_s"] * r["duration_ns"] / 1e9 / r["operations"] - 1) > 0.01:
        fail("rate is not operations over time: %s" % r)


def schema(path, verb):
    import jsonschema

    where = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tools/hslbench/hslbench-1.schema.json")
    doc = load(path)
    jsonschema.Draft202012Validator.check_schema(load(where))
    jsonschema.validate(doc, load(where), cls=jsonschema.Draft202012Validator)
    mine = [r for r in doc["results"] if r["verb"] == verb]
    measured = [r for r in mine if r["skipped"] is None]
    if not measured:
        fail("nothing of %s was measured" % verb)
    for r in measured:
        if r["errors"] or not r["verified"]:
            fail("wrong: %s" % r)
        consistent(r)


def results_of(path):
    return load(path)["results"] or fail("%s has no results" % path)


def same(first, *others):
    want = load(first)["results"]
    for other in others:
        if load(other)["results"] != want:
            fail("%s differs from %s" % (other, first))


def sizes(first, *others):
    point = lambda r: (r["op"], r["src"], r["dst"], r["size_bytes"])
    want = {point(r): r for r in load(first)["results"]}
    for other in others:
        for r in results_of(other):
            w = want.get(point(r)) or fail("%s: %s is not in %s" % (other, point(r), first))
            # the clock has nanoseconds: the first and the last of a measurement are rounded
            was, now = w["duration_ns"] or 0, r["duration_ns"] or 0
            if abs(now - was) > max(4, was / 1000) or r["operations"] != w["operations"]:
                fail("%s: %s took %s ns, %s in %s" % (other, point(r), now, was, first))


def topology(path):
    by_hops = {"copy": {}, "load": {}}
    chips = set()
    for r in results_of(path):
        chips.add(r["src"])
        value = r["bytes_per_s"] if r["op"] == "copy" else r["latency_ns"]["p50"]
        by_hops[r["op"]].setdefault(r["hops"], []).append(value)
    for op, hops in by_hops.items():
        if sum(map(len, hops.values())) != len(chips) ** 2:
            fail("%s: not every pair" % op)
        last = None
        for h in sorted(hops):
            least, most = min(hops[h]), max(hops[h])
            if most > least * 1.01:
                fail("%s: pairs %d links apart differ: %g to %g" % (op, h, least, most))
            if last is not None and not (most < last if op == "copy" else least > last):
                fail("%s: %d links are no farther than fewer" % (op, h))
            last = least if op == "copy" else most
    print(len(chips), "chips,", max(by_hops["copy"]), "links at most")


def has(path, *wanted):
    pairs = [w.split("=", 1) for w in wanted]
    for r in load(path)["results"]:
        if all(str(r[k]) == v for k, v in pairs):
            return
    fail("no result with " + " ".join(wanted))


def loaded(path, goodput):
    """Latency grows with what the links carry, which is what was offered and at most their goodput (GB/s)."""
    steps = [r for r in load(path)["results"] if r["op"] == "link"]
    mean = [r["latency_ns"]["mean"] for r in steps]
    moved = [r["injected_bytes_per_s"] / 1e9 for r in steps]
    if len(steps) < 5 or mean != sorted(mean) or mean[-1] < 1.2 * mean[0] or mean[-2] < 1.05 * mean[0]:
        fail("latency does not grow: %s" % mean)
    if moved[0] or not 0.97 * float(goodput) < moved[-1] <= 1.001 * float(goodput):
        fail("the link carries %s" % moved)
    for r in steps:
        if abs(r["injected_bytes_per_s"] - r["offered_bytes_per_s"]) > 0.15 * r["offered_bytes_per_s"]:
            fail("not what was offered: %s" % r)


def shared(path, carries, parts="1"):
    """Streams of all queues fill what they share, so many parts of GB/s each, and no more; each gets the same."""
    most = float(carries) * int(parts)
    for r in results_of(path):
        gbps = r["bytes_per_s"] / 1e9
        if not 0.93 * most < gbps <= most or r["fairness"] < 0.999:
            fail("%s GB/s of %s, fairness %s" % (gbps, most, r["fairness"]))


def paced(path):
    """Of a run that was due at a pace: no faster than that, and what was late is not forgotten."""
    for r in results_of(path):
        if r["ops_per_s"] > 1.02 * r["flows"] * r["rate_per_s"] * r["operations"] / (r["operations"] - r["rounds"] * r["batch"] * r["flows"]):
            fail("faster than due: %s" % r)
        if r["latency_ns"]["p50"] is None or r["latency_ns"]["min"] <= 0:
            fail("no latency: %s" % r)


def columns(path):
    import csv

    where = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tools/hslbench/hslbench-1.schema.json")
    defs = load(where)["$defs"]
    want = set(defs["result"]["properties"]) - {"latency_ns"}
    want |= {"latency_ns." + k for k in defs["latency"]["properties"]}
    with open(path, encoding="utf-8", newline="") as f:
        lines = list(csv.reader(f))
    if len(lines[0]) != len(set(lines[0])) or set(lines[0]) != want:
        fail("columns and schema differ: %s" % sorted(set(lines[0]) ^ want))
    if {len(line) for line in lines} != {len(lines[0])}:
        fail("lines of different length")


if len(sys.argv) < 3 or sys.argv[1] not in ("schema", "same", "sizes", "topology", "columns", "paced", "loaded", "shared", "has"):
    fail(__doc__)
globals()[sys.argv[1]](*sys.argv[2:])
