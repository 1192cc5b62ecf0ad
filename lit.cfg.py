from __future__ import annotations

import os
import sys
from pathlib import Path

import lit.formats

# `config` and `lit_config` are given by lit, which executes this file.
root = Path(__file__).resolve().parent
scripts = Path(sys.executable).parent

config.name = "canao"
config.test_source_root = str(root)
config.test_exec_root = str(root / "build" / "lit")
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]

# The tools of the environment that runs lit, and the sources beside this file.
config.environment["PATH"] = os.pathsep.join([str(scripts), os.environ.get("PATH", "")])
config.environment["PYTHONPATH"] = str(root)
config.substitutions.append(
    (r"(?<![\w./-])canao-opt(?![\w./-])", f"'{sys.executable}' -m canao.tools.canao_opt")
)
