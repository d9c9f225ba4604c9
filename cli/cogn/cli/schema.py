"""`cogn schema`: the OpenAPI document of a model, from its source."""

from __future__ import annotations

import json
from pathlib import Path

from cogn.cli.output import make_reporter
from cogn.resolver.config import read_config
from cogn.resolver.document import read_document
from cogn.resolver.root import CONFIG_NAME, find_root
from cogn.store.runtime import runtime_wheel

__all__ = ["schema"]


def schema(directory: Path) -> str:
    """Return the OpenAPI document of the project of `directory`, as indented JSON.

    Nothing of the model is executed. Raises the errors of reading cog.yaml and of `read_document`.
    """
    root = find_root(directory)
    with make_reporter() as reporter:
        config, _ = read_config(root / CONFIG_NAME, reporter)
    document = read_document(
        root, config.predictor, train=config.train, version=runtime_wheel().version
    )
    return json.dumps(document, indent=2, ensure_ascii=False)
