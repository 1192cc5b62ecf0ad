"""The package itself: its version and where its files are."""

from __future__ import annotations

from pathlib import Path

VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parent
"""The directory of the package; the one above it is what a child process must find."""
