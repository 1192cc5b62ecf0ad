"""What all tests share."""

from __future__ import annotations

import os

# Models of tests are tiny: threads of PyTorch would spend their time waiting for each other,
# the more so beside other tests. Set before PyTorch is imported; children inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
