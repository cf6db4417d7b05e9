"""Starts real HAProxy, Redis, agents and cells for one test, talks to them, and leaves nothing behind."""
