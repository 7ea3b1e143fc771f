"""Embeds texts with the images they name, by a multimodal sentence-transformers model (CLIP and its kin).

Memory keeps words; an image is in them by a mark such as `[image: a cat on a sofa](<cat.jpg>)`, which `remember` makes
of an image part with a `path`. The vector of a text that names images is the mean of that of its words and those of
the images, all in the model's one space. So it stays a function of words and files: what makes vectors anew
(`rebuild`, `reindex`, `maintain`) makes the same. Only files below one folder are opened, as texts come from anywhere.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from agentmem.contracts import TextKind, Vectors
from agentmem.embed.late import Embedded
from agentmem.embed.sentence import SentenceEmbedder
from agentmem.errors import InvalidInputError, MissingExtraError

logger = logging.getLogger("agentmem")

#: what the names of embedders end with that see images
WITH_IMAGES = "+images"
# as `write.messages` writes it
_MARK = re.compile(r"\[image\b[^\n]{0,500}?\]\(<([^<>\n]{1,1000})>\)")
# of one text; the rest of an album says little more
_MOST_IMAGES = 8
# pixels; models see far fewer, and many may be open at once
_LARGEST = (1024, 1024)


class ImageEmbedder(SentenceEmbedder):
    """A multimodal model by name or folder, with the folder that the images named in texts are under.

    Args:
        name: model name or folder, such as `sentence-transformers/clip-ViT-B-32`.
        images: only files below this folder are opened; names in texts are relative to it.
        device: a torch device; None picks.

    Raises:
        MissingExtraError: sentence-transformers or Pillow is not installed.
        InvalidInputError: `images` is no folder.
    """

    def __init__(self, name: str, *, images: str | Path, device: str | None = None) -> None:
        super().__init__(name, device=device)
        if find_spec("PIL") is None:
            raise MissingExtraError(f"the image embedder {name!r}", "images")
        if not Path(images).is_dir():
            raise InvalidInputError(f"no folder of images at {images}")
        self._images = Path(images).resolve()

    @property
    def name(self) -> str:
        """Not the model's own, whose vectors leave images out."""
        return f"{super().name}{WITH_IMAGES}"

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        """Unit rows `[len(texts), dims]`; an image that cannot be opened leaves the words alone to count.

        Raises:
            EmbedderError: the model failed, or knows no images.
        """
        rows = super().embed(texts, kind)
        owners, opened = self._named(texts)
        if not opened:
            return rows
        seen = self._encode(opened, kind, convert_to_numpy=True)
        np.add.at(rows, owners, np.asarray(seen, dtype=np.float32))
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)

    def embed_pieces(self, texts: Sequence[str], kind: TextKind = "document") -> Embedded:
        """Rows alone: word pieces would leave the images out."""
        return Embedded(self.embed(texts, kind), None)

    def _named(self, texts: Sequence[str]) -> tuple[list[int], list[Any]]:
        """The images that texts name, each with the place of its text."""
        found = [
            (place, image)
            for place, text in enumerate(texts)
            for name in dict.fromkeys(_MARK.findall(text)[:_MOST_IMAGES])
            if (image := self._opened(name)) is not None
        ]
        return [place for place, _ in found], [image for _, image in found]

    def _opened(self, name: str) -> Any | None:
        """The image as RGB pixels; None where it is none, is not there, or lies elsewhere."""
        from PIL import Image, UnidentifiedImageError

        path = (self._images / name).resolve()
        if not path.is_relative_to(self._images) or not path.is_file():
            logger.warning("no image %s below %s; its words alone count", name, self._images)
            return None
        try:
            with warnings.catch_warnings():
                # an image of so many pixels that it would fill the memory is refused
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(path) as image:
                    image.thumbnail(_LARGEST)
                    return image.convert("RGB")
        except (
            OSError,
            ValueError,
            UnidentifiedImageError,
            Image.DecompressionBombWarning,
            Image.DecompressionBombError,
        ) as error:
            logger.warning("cannot read the image %s, its words alone count: %s", name, error)
            return None
