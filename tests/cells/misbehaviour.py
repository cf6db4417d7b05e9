"""What a cell can be told to do wrong, at run time. A rule: which requests, and what to do instead.

Keys of a rule, all optional:
  cell, path (prefix of the path), exactly (the path), method, times (how often; default always)   - which requests
  redirect   display name or id that the cell redirects to, or with redirect_text the header's raw text
  status     status of that redirect (default: the cell's own)
  cache      raw text of the claim on the answer, instead of the honest one; "" takes the claim away
  answer     {status, headers, header_bytes, body, body_bytes, chunked, trailers, close, pause}: exactly this answer
  tunnel     true: 200, and from then on every byte comes back (for CONNECT)
  early      true: answer before the body is read, then close and ignore what still comes of it; "reset": end the
             connection by RST instead (HTTP/2: with "reset" likewise, else by RST_STREAM)
  interim    list of [status, headers]: 1xx answers before the real one
  delay      seconds before the answer;  gate  name that must be open before the answer
  die        "head" (close when the request arrived), "reset" (the same by RST), or a number: that many bytes of
             the answer's body, then close
"""

import asyncio

from cells import streams
from cells.application import CACHE, REDIRECT
from cells.wire import Answer

KEYS = {"cell", "path", "exactly", "method", "times", "redirect", "redirect_text", "status", "cache", "answer",
        "early", "interim", "delay", "gate", "die", "tunnel"}


class Gates:
    """Names that tests open: a stream or an answer waits there, so that no test has to guess a time."""

    def __init__(self):
        self.events = {}

    def of(self, name):
        return self.events.setdefault(name, asyncio.Event())

    async def passed(self, name):
        await self.of(name).wait()

    def open_all(self):
        for event in self.events.values():
            event.set()
        self.events = {}


class Rules:
    def __init__(self):
        self.rules = []

    def add(self, rule):
        unknown = set(rule) - KEYS
        if unknown:
            raise ValueError(f"unknown keys in a rule: {', '.join(sorted(unknown))}")
        self.rules.append(dict(rule))

    def clear(self):
        self.rules = []

    def take(self, cell, request, early=False):
        """The first rule that matches, counted; {} when none does. early: only where it is one for an early answer."""
        for rule in self.rules:
            if rule.get("cell", cell.id) != cell.id or rule.get("method", request.method) != request.method:
                continue
            if not request.path.startswith(rule.get("path", "")) or rule.get("exactly", request.path) != request.path:
                continue
            if early and not rule.get("early"):
                return {}
            if "times" in rule:
                if not rule["times"]:
                    continue
                rule["times"] -= 1
            return rule
        return {}


def redirected(cell, rule):
    text = rule.get("redirect_text", f"{{cell:{rule.get('redirect')}}}")
    return Answer(rule.get("status", cell.answers), [[REDIRECT, text], ["X-Cell", cell.id]],
                  b"another cell owns this\n")


def scripted(cell, script):
    body = script.get("body", "").encode("latin-1")
    body += bytes(range(256)) * (script.get("body_bytes", 0) // 256 + 1) if script.get("body_bytes") else b""
    if script.get("body_bytes"):
        body = body[: script["body_bytes"]]
    headers = [["X-Cell", cell.id], *script.get("headers", [])]
    # 1000 bytes a line
    headers += [[f"X-Fill-{n:03}", "f" * 986] for n in range(script.get("header_bytes", 0) // 1000)]
    return Answer(script.get("status", 200), headers, body, chunked=script.get("chunked", False),
                  trailers=script.get("trailers", []), close=script.get("close", False), pause=script.get("pause", 0))


def apply(cell, rule, honest):
    """The answer under this rule; honest() makes the one the application would give."""
    if "redirect" in rule or "redirect_text" in rule:
        return redirected(cell, rule)
    if rule.get("tunnel"):
        return streams.tunnel(cell)
    answer = scripted(cell, rule["answer"]) if "answer" in rule else honest()
    if "cache" in rule:
        answer.headers = [pair for pair in answer.headers if pair[0] != CACHE]
        if rule["cache"]:
            answer.headers.append([CACHE, rule["cache"]])
    return answer
