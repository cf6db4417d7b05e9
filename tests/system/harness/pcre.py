"""How many steps PCRE, as HAProxy uses it, takes for a text: its own count, which says the same on any machine."""

import ctypes
import functools

LIMIT = 10_000_000  # that of PCRE itself: beyond it there is no answer
CASELESS, ZERO_TERMINATED = 0x8, ctypes.c_size_t(-1)
NO_MATCH, TOO_MANY = -1, -47
ONE_CODE_UNIT = "_8"


@functools.cache
def library():
    found = ctypes.CDLL("libpcre2-8.so.0")
    for name in ("compile", "match_context_create", "match_data_create_from_pattern"):
        getattr(found, f"pcre2_{name}{ONE_CODE_UNIT}").restype = ctypes.c_void_p
    return found


def call(name, *arguments):
    return getattr(library(), f"pcre2_{name}{ONE_CODE_UNIT}")(*arguments)


class Pattern:
    """As HAProxy compiles it (src/regex.c): bytes, with or without regard to case."""

    def __init__(self, text, caseless=False):
        self.text = text
        error, where = ctypes.c_int(), ctypes.c_size_t()
        code = call("compile", ctypes.c_char_p(text.encode("latin-1")), ZERO_TERMINATED,
                    ctypes.c_uint32(CASELESS if caseless else 0), ctypes.byref(error), ctypes.byref(where), None)
        if not code:
            raise ValueError(f"PCRE refuses {text} at {where.value}: error {error.value}")
        self.code = ctypes.c_void_p(code)
        self.data = ctypes.c_void_p(call("match_data_create_from_pattern", self.code, None))
        self.context = ctypes.c_void_p(call("match_context_create", None))

    def match(self, subject, limit=LIMIT):
        """True, False, or None: more than limit steps."""
        call("set_match_limit", self.context, ctypes.c_uint32(limit))
        found = call("match", self.code, ctypes.c_char_p(subject), ctypes.c_size_t(len(subject)), ctypes.c_size_t(0),
                     ctypes.c_uint32(0), self.data, self.context)
        if found in (TOO_MANY, NO_MATCH):
            return None if found == TOO_MANY else False
        if found < 0:
            raise ValueError(f"PCRE's error {found} for {self.text}")
        return True

    def steps(self, subject):
        """The smallest limit with which there is an answer; LIMIT + 1: there is none."""
        low, high = 0, LIMIT + 1
        while low < high:
            middle = (low + high) // 2 if high <= LIMIT else (low * 2 + 16 if low * 2 + 16 < LIMIT else LIMIT)
            if self.match(subject, middle) is None:
                low = middle + 1
            else:
                high = middle
        return low
