"""The agents' counters in the words of the flows."""

from harness import expect as expectation
from harness.process import Failure, wait_until

# word -> the agent's counters that it is the sum of
WORDS = {
    "lookups": ("lookups",),
    "hits": ("lookup_hits_level1", "lookup_hits_level2"),
    "misses": ("lookup_misses",),
    "learned": ("routes_learned",),
    "moved": ("routes_moved",),
    "dropped": ("routes_dropped",),
    "refused": ("claims_refused",),
}


def take(world):
    return read(world)


def read(world):
    counters = world.counters()
    missing = [name for names in WORDS.values() for name in names if name not in counters]
    if missing:
        raise Failure(f"the agent has no counters {missing}; it has {sorted(counters)}")
    return {word: sum(counters[name] for name in names) for word, names in WORDS.items()}


def expect(world, before, **deltas):
    """Since before, the sums over all agents went up by exactly this."""

    def now():
        after = read(world)
        return {word: after[word] - before[word] for word in deltas}

    try:
        wait_until("counters", lambda: now() == deltas, timeout=2)
    except Failure:
        expectation.same("counters of all agents, since before", now(), deltas)


def one(world, before, kind, **deltas):
    """Since before, one request came, on an unknown path ("miss") or a known one ("hit"); what it taught is in deltas,
    by default the route of a miss."""
    hit = int(kind == "hit")
    expect(world, before, **{"lookups": 1, "hits": hit, "misses": 1 - hit, "learned": 1 - hit, "moved": 0, "dropped": 0,
                             "refused": 0, **deltas})
