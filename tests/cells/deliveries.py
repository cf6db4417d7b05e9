"""The log of every delivery: what reached which cell, in which order."""

import itertools
import json
import time
from collections import deque

from cells.wire import Request

KEPT = 100_000  # entries in memory; older ones are only in the file


class Deliveries:
    def __init__(self, path=None):
        self.file = open(path, "a", encoding="utf-8") if path else None
        self.entries = deque(maxlen=KEPT)
        self.numbers = itertools.count(1)
        self.last = 0

    def begin(self, cell, server, request):
        """Numbers a delivery when its head has arrived: that is the order."""
        self.last = next(self.numbers)
        entry = {
            "n": self.last,
            "at": time.time(),
            "cell": cell.id,
            "server": server,
            "method": request.method,
            "target": request.target,
            "version": request.version,
            "proxy": request.proxy,
            "server_name": request.server_name,
            "headers": request.headers,
            "body_length": 0,
            "body_sha256": "",
            "whole": False,
            "trailers": [],
            "answer": None,  # status, or why there was none
            "redirect": None,  # text of the redirect that was answered
            "cache": None,
        }
        self.entries.append(entry)
        return entry

    def unreadable(self, cell, server, error):
        """What arrived where a request should begin, but is none: a request that was smuggled in the body of another
        looks so."""
        entry = self.begin(cell, server, Request("", str(error), "", []))
        entry["answer"] = "unreadable"
        return entry

    def arrived(self, entry, request):
        entry["body_length"] = request.length
        entry["body_sha256"] = request.sha256
        entry["whole"] = request.whole
        entry["trailers"] = request.trailers

    def end(self, entry):
        if self.file:
            self.file.write(json.dumps(entry) + "\n")
            self.file.flush()

    def since(self, number):
        skip = len(self.entries)
        for entry in reversed(self.entries):
            if entry["n"] <= number:
                break
            skip -= 1
        return list(itertools.islice(self.entries, skip, None))
