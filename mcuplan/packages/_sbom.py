# SPDX-License-Identifier: Apache-2.0
"""The bill of materials of a generated folder, as CycloneDX 1.6 in JSON.

Source: ECMA-424, and the schema ``bom-1.6.schema.json``. The time, which it does not ask for, is
left out, and the serial number is that of the contents: the same folder has the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

from mcuplan import __version__
from mcuplan.packages._product import Model, Product
from mcuplan.safe_text import plain

__all__ = ["sbom_path", "sbom_text"]

_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_LIBRARY = "mplan"
_VARIANT = 0x8


def sbom_path(product: Product) -> PurePosixPath:
    """Where it lies in the folder."""
    return PurePosixPath(f"{product.name}.cdx.json")


def sbom_text(product: Product, files: Mapping[PurePosixPath, str]) -> str:
    """The bill of a folder; ``files`` are all that it has, with their places there."""
    own = [path for path in files if _LIBRARY not in path.parts]
    kernels = [path for path in files if _LIBRARY in path.parts]
    library = _licensed("library", _LIBRARY, "0BSD") | {"version": __version__}
    library["components"] = [_file(path, files[path]) for path in kernels]
    models = [_model(model) for model in product.models]
    called = [_licensed("library", name, "Apache-2.0") for name in [product.library] if name]
    parts = [*models, library, *called, *(_file(path, files[path]) for path in own)]
    needed = [str(part["bom-ref"]) for part in (*models, library, *called)]
    body: dict[str, Any] = {
        "metadata": _metadata(product),
        "components": parts,
        "dependencies": [
            {"ref": f"library:{product.name}", "dependsOn": needed},
            *({"ref": ref} for ref in needed),
        ],
    }
    digest = sha256(_dumped(body).encode("ascii")).hexdigest()
    head = {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{_uuid(digest)}",
        "version": 1,
    }
    return f"{_dumped(head | body)}\n"


def _metadata(product: Product) -> dict[str, Any]:
    """The tool, and what the bill is of."""
    tool = _licensed("application", "mcuplan", "Apache-2.0") | {"version": __version__}
    digests = "".join(model.sha256 for model in product.models)
    own = digests if len(product.models) == 1 else sha256(digests.encode("ascii")).hexdigest()
    about = _licensed("library", product.name, "0BSD") | {"version": f"{__version__}+{own[:12]}"}
    target = {"name": "mcuplan:target", "value": product.target.name}
    return {
        "tools": {"components": [tool]},
        "component": about | {"properties": [target]},
    }


def _licensed(kind: str, name: str, licence: str) -> dict[str, Any]:
    """A component with a licence."""
    said = [{"license": {"id": licence}}]
    return {"type": kind, "bom-ref": f"{kind}:{name}", "name": name, "licenses": said}


def _model(model: Model) -> dict[str, Any]:
    """The file that a model was made of; its name may hold anything."""
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{model.bundle.name}",
        "name": plain(model.file, unicode=True),
        "hashes": [{"alg": "SHA-256", "content": model.sha256}],
    }


def _file(path: PurePosixPath, text: str) -> dict[str, Any]:
    digest = sha256(text.encode("utf-8")).hexdigest()
    hashes = [{"alg": "SHA-256", "content": digest}]
    return {"type": "file", "bom-ref": f"file:{path}", "name": str(path), "hashes": hashes}


def _uuid(digest: str) -> str:
    """An identifier of version 8, whose bits are one's own, from a digest (RFC 9562, 5.8)."""
    variant = f"{_VARIANT | (int(digest[16], 16) & 0x3):x}"
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def _dumped(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True)
