"""Runs inside the peers' environment: texts come in as JSON on standard input, spans go out on the last line.

`worker.py presidio|presidio_all|detect_secrets|stdnum`. Nothing of this project is imported here.
"""

from __future__ import annotations

import importlib
import importlib.resources
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

_TRAINED = frozenset({"HuggingFaceNerRecognizer", "BasicLangExtractRecognizer"})


def presidio(texts: list[str]) -> list[list[list[Any]]]:
    """Presidio's analyzer with the recognisers that it switches on for English, and what needs no trained model."""
    from presidio_analyzer import RecognizerRegistry

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=_blank())
    return _analyzed(registry, texts)


def presidio_all(texts: list[str]) -> list[list[list[Any]]]:
    """Every recogniser that Presidio ships, of all countries; not those that ask a trained model."""
    import yaml
    from presidio_analyzer import RecognizerRegistry, predefined_recognizers

    listed = importlib.resources.files("presidio_analyzer") / "conf" / "default_recognizers.yaml"
    registry = RecognizerRegistry()
    for entry in yaml.safe_load(listed.read_text("utf-8"))["recognizers"]:
        if entry["name"] not in _TRAINED:
            registry.add_recognizer(getattr(predefined_recognizers, entry["name"])(supported_language="en"))
    return _analyzed(registry, texts)


def _blank() -> Any:
    import spacy
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

        def load(self) -> None:
            pass

        def is_loaded(self) -> bool:
            return True

    return Blank()


def _analyzed(registry: Any, texts: list[str]) -> list[list[list[Any]]]:
    from presidio_analyzer import AnalyzerEngine

    engine = AnalyzerEngine(registry=registry, nlp_engine=_blank(), supported_languages=["en"])
    out = []
    for text in texts:
        found = engine.analyze(text, language="en", score_threshold=0.0)
        out.append([[r.start, r.end, r.entity_type] for r in found])
    return out


def detect_secrets(texts: list[str]) -> list[list[list[Any]]]:
    """The default plugins and filters of detect-secrets, each text as a file."""
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import default_settings

    out = []
    with default_settings(), tempfile.TemporaryDirectory() as folder:
        for i, text in enumerate(texts):
            path = Path(folder) / f"{i}.txt"
            path.write_text(text, encoding="utf-8", newline="")
            found = set()
            for secret in scan_file(str(path)):
                value = secret.secret_value or ""
                start = text.find(value)
                if value and start >= 0:
                    found.add((start, start + len(value), secret.type))
            out.append([list(f) for f in sorted(found)])
    return out


def stdnum(texts: list[str]) -> list[list[list[Any]]]:
    """Each text is `module number`: one span where the module of python-stdnum calls the number valid."""
    out = []
    for text in texts:
        name, _, number = text.partition(" ")
        try:
            valid = importlib.import_module(f"stdnum.{name}").is_valid(number)
        except (KeyError, ValueError):  # a fault of a module is no answer; the table shows it as not valid
            valid = False
        out.append([[0, 1, "valid"]] if valid else [])
    return out


if __name__ == "__main__":
    import io

    stdout, sys.stdout = sys.stdout, io.StringIO()  # what libraries print is not the answer
    peers = {f.__name__: f for f in (presidio, presidio_all, detect_secrets, stdnum)}
    answer = peers[sys.argv[1]](json.load(sys.stdin))
    stdout.write(json.dumps(answer) + "\n")
