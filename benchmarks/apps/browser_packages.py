"""What the peers in the browser need: files of pinned npm packages, kept with other peers."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from canao.errors import PeerError
from canao.peers.environment import default_home
from canao.peers.models import make_once

_SECONDS = 1800


@dataclass(frozen=True)
class NpmPackage:
    """A version of a package, the digest that its archive must have, and what is used of it."""

    name: str
    version: str
    sha512: str
    files: tuple[str, ...]
    """Inside its folder `dist`."""

    @property
    def folder(self) -> str:
        """What the page calls it."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def directory(self) -> Path:
        """Where its files are kept."""
        return default_home() / "npm" / f"{self.folder}-{self.version}"

    def install(self) -> None:
        """Fetch its archive with npm and keep its files, unless they are there; `PeerError`."""
        make_once(self.directory, self._fetch)

    def check(self) -> None:
        """`PeerError` with the command that installs it, if it is not there."""
        if not self.directory.is_dir():
            raise PeerError(
                f"the npm package {self.name} {self.version} is not in {self.directory.parent}; "
                "run: python benchmarks/apps/browser.py --setup"
            )

    def _fetch(self, room: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="canao-npm-") as directory:
            archive = self._packed(Path(directory))
            with tarfile.open(archive) as packed:
                for name in self.files:
                    content = packed.extractfile(f"package/dist/{name}")
                    assert content is not None, name
                    (room / name).write_bytes(content.read())

    def _packed(self, directory: Path) -> Path:
        npm = shutil.which("npm")
        if npm is None:
            raise PeerError("npm fetches the packages of the browser, and is missing; install it")
        command = [npm, "pack", f"{self.name}@{self.version}", "--json", "--ignore-scripts"]
        try:
            done = subprocess.run(
                command,
                cwd=directory,
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise PeerError(f"npm does not get {self.name} within {_SECONDS} s") from None
        if done.returncode:
            reason = (done.stderr.strip() or "no message").splitlines()[0]
            raise PeerError(
                f"npm does not get {self.name} {self.version} ({reason}); see that its registry "
                "can be reached"
            )
        archive = directory / json.loads(done.stdout)[0]["filename"]
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != self.sha512:
            raise PeerError(f"{self.name} {self.version} is not the archive that was pinned")
        return archive


ONNXRUNTIME = NpmPackage(
    "onnxruntime-web",
    "1.30.0",
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
)
TFJS = NpmPackage(
    "@tensorflow/tfjs",
    "4.22.0",
    "0TrIrXs6/b7FLhLVNmfh8Sah6JgjBPH4mZ8JGb7NU6WW+cx00qK5BcAZxw7NCzxj6N8MRAIfHq+oNbPUNG5VAg==",
    ("tf.min.js",),
)
TFJS_WASM = NpmPackage(
    "@tensorflow/tfjs-backend-wasm",
    "4.22.0",
    "/IYhReRIp4jg/wYW0OwbbJZG8ON87mbz0PgkiP3CdcACRSvUN0h8rvC0O3YcDtkTQtFWF/tcXq/KlVDyV49wmA==",
    ("tf-backend-wasm.min.js", "tfjs-backend-wasm-simd.wasm"),
)
PACKAGES = (ONNXRUNTIME, TFJS, TFJS_WASM)
