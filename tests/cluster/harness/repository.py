"""A git repository as a user of the examples has it: their files with the repository's own address, values, `dist/`.

A bare repository that Argo CD reads by `file://`, and a work tree beside it to change, commit and push. The address is
all that differs from what `examples/argocd/` holds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples" / "argocd"
ADDRESS = "https://git.example.com/platform/speedscale.git"
BRANCH = "main"
_GIT_S = 60
_TOLD = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
_PERSON = {
    f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in (("NAME", "tests"), ("EMAIL", ""))
}


class Repository:
    """One repository in `folder`; `work` is what a person has checked out, `url` what Argo CD is given."""

    def __init__(self, folder: Path) -> None:
        self.bare, self.work = folder / "speedscale.git", folder / "work"
        self.url = f"file://{self.bare}"
        self.work.mkdir(parents=True)
        self._git("init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(self.bare))
        self._git("init", "--quiet", f"--initial-branch={BRANCH}")
        self._git("remote", "add", "origin", str(self.bare))

    def add_examples(self) -> None:
        """Copy the examples and the project's values, as the README says."""
        for file in sorted(EXAMPLES.rglob("*")):
            if file.is_file():
                text = file.read_text(encoding="utf-8").replace(ADDRESS, self.url)
                self.write(f"examples/argocd/{file.relative_to(EXAMPLES)}", text)
        (self.work / "cdk8s").mkdir()
        shutil.copy(ROOT / "cdk8s" / "values.yaml", self.work / "cdk8s" / "values.yaml")

    def write(self, path: str, text: str) -> None:
        """Put a file into the work tree."""
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def commit(self, message: str, *, tag: str = "") -> str:
        """Commit everything and push it; return the revision."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        if tag:
            self._git("tag", tag)
        self._git("push", "--quiet", "--tags", "origin", BRANCH)
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.work,
            env={**os.environ, **_TOLD, **_PERSON},
            capture_output=True,
            text=True,
            timeout=_GIT_S,
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
        return done.stdout
