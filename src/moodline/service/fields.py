"""Fields that no route knows are refused: a misspelt one would be left out in silence."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant

from moodline.service.errors import ServiceError


async def _refuse_unknown_fields(request: Request) -> None:
    dependant: Dependant = request.scope["route"].dependant
    query = {p.alias for p in dependant.query_params}
    _check("query", request.query_params.keys(), query, query)
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        form = await request.form()  # read before: the framework keeps it
        single = {p.alias for p in dependant.body_params if not p.alias.endswith("[]")}
        _check("form", [key for key, _ in form.multi_items()], {p.alias for p in dependant.body_params}, single)


def _check(where: str, given: Iterable[str], known: set[str], single: set[str]) -> None:
    for name, count in Counter(given).items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            fix = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known)) or 'none'}."
            raise ServiceError(422, f"the {where} has an unknown field", name, fix, name[:100])
        if name in single and count > 1:
            raise ServiceError(422, f"the {where} has the field {name} more than once", count, "Send one.", name)


refuse_unknown_fields: list[Any] = [Depends(_refuse_unknown_fields)]
"""The dependencies of a router whose routes refuse unknown fields."""
