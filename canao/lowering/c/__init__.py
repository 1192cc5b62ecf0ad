"""Prints loop nests on buffers as C."""
