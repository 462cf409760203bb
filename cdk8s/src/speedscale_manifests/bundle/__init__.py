"""The bundle: what the controller applies, repairs and fills in, as ConfigMaps that are reviewed like any manifest.

Called by `constructs`, `synth` and the Helm form. Desired state travels with the installation: managed objects in both
profiles (in `operator` the controller makes them, in `gitops` it compares), templates always. Plain YAML, a key an
object, never compressed. Pure.
"""

from .config_maps import BUNDLE_LABEL, CONTENT, CONTENT_HASH, MAX_BYTES, bundle, content_hash

__all__ = ["BUNDLE_LABEL", "CONTENT", "CONTENT_HASH", "MAX_BYTES", "bundle", "content_hash"]
