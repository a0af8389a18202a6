# SPDX-License-Identifier: Apache-2.0
"""What is packed: generated sources, the models they are of, and the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from mcuplan.backends import library_of
from mcuplan.emit import Bundle
from mcuplan.packages._sample import Sample
from mcuplan.targets import Target

__all__ = ["Model", "Product"]


@dataclass(frozen=True, slots=True)
class Model:
    """A generated model, the file that it was made of, and a sample with what it must give.

    ``places``: for each of its arenas an arena of the product, and what in it is that of the model.
    """

    bundle: Bundle
    file: str  # name of the model file, which may hold anything
    sha256: str
    places: tuple[tuple[str, str], ...]
    stack_bytes: int  # modelled, with its margin
    sample: Sample | None = None  # None: no package was asked for


@dataclass(frozen=True, slots=True)
class Product:
    """Generated sources of one model or several.

    Attributes:
        name: C prefix: of the model, or of all of them together.
        files: paths are relative to the folder of the sources.
        arenas: C type of each arena that an application defines, and its region.
    """

    name: str
    files: Mapping[PurePosixPath, str]
    models: tuple[Model, ...]
    target: Target
    arenas: tuple[tuple[str, str], ...]

    @property
    def sources(self) -> tuple[PurePosixPath, ...]:
        """What is compiled, in the order of the files."""
        return tuple(path for path in self.files if path.suffix == ".c")

    @property
    def is_portable(self) -> bool:
        """Whether any compiler of C99 takes it, not only one for the core."""
        return all(model.bundle.kernel_sets <= {"c99"} for model in self.models)

    @property
    def library(self) -> str:
        """The library of the user's that kernels call; none where they call none."""
        sets = sorted(set[str]().union(*(model.bundle.kernel_sets for model in self.models)))
        return next(filter(None, map(library_of, sets)), "")

    @property
    def computes_reals(self) -> bool:
        """Whether results depend on how a compiler rounds."""
        return any(model.bundle.computes_reals for model in self.models)
