"""A tag laid over its template: what holds, and where in the file it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from config.plant.document import TagDocument, TemplateDocument
from config.plant.yaml_lines import Path

__all__ = ["Overlay"]

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Overlay:
    """A tag as written, over its template. A key of the tag wins, also when it says null."""

    name: str
    tag: TagDocument
    template: TemplateDocument | None

    def get(self, key: str) -> Any:  # noqa: ANN401  whatever type the document gives the key
        """Return what the tag says for a key, else what its template says."""
        if key in self.tag.model_fields_set or self.template is None:
            return getattr(self.tag, key)
        return getattr(self.template, key)

    def merged(self, key: str, kind: type[M]) -> M | None:
        """Return a mapping of the tag laid over that of its template, key by key, at every depth."""
        own = getattr(self.tag, key)
        if self.template is None or (own is None and key in self.tag.model_fields_set):
            return own if isinstance(own, kind) else None
        return _over(own, getattr(self.template, key))

    def path(self, *keys: str) -> Path:
        """Return where ``keys`` is written: in the tag, in the template, else where it would be in the tag."""
        for path, document in self._layers():
            inner: object = document
            for key in keys:
                inner = getattr(inner, key) if isinstance(inner, BaseModel) and key in inner.model_fields_set else None
            if inner is not None:
                return (*path, *keys)
        return ("tags", self.name, *keys)

    def places(self, key: str) -> tuple[Path, ...]:
        """Return every path at which ``key`` may be written."""
        return tuple((*path, key) for path, _ in self._layers())

    def _layers(self) -> tuple[tuple[Path, BaseModel | None], ...]:
        own: Path = ("tags", self.name)
        if self.tag.template is None:
            return ((own, self.tag),)
        return (own, self.tag), (("templates", self.tag.template), self.template)


def _over(own: M | None, shared: M | None) -> M | None:
    if own is None or shared is None:
        return own or shared
    said: dict[str, Any] = {key: getattr(shared, key) for key in shared.model_fields_set}
    for key in own.model_fields_set:
        value, base = getattr(own, key), said.get(key)
        both = isinstance(value, BaseModel) and isinstance(base, BaseModel)
        said[key] = _over(value, base) if both else value
    return type(own).model_construct(_fields_set=set(said), **said)
