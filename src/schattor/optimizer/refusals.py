"""What the core or a driver refused, as sentences."""

from __future__ import annotations

from .._edge import _core
from .assembly import Route


def sentence(refusal: _core.Refusal, route: Route) -> str:
    """Return the sentence for what was refused in the block of this route."""
    block, kinds = route.block, _core.RefusalKind
    subject = {
        kinds.gradient_not_finite: f"gradient of block {block.name!r}",
        kinds.weights_not_finite: f"block {block.name!r}",
        kinds.gradient_too_large: f"gradient of block {block.name!r}",
        kinds.estimate_too_large: f"momentum of block {block.name!r}",
        kinds.extra_not_finite: f"{refusal.extra.name} of block {block.name!r}",
        kinds.extra_too_large: f"{refusal.extra.name} of block {block.name!r}",
        kinds.step_not_finite: f"step of block {block.name!r}",
    }[refusal.kind]
    if refusal.kind is kinds.step_not_finite:
        return f"{subject}: {refusal.count} entries of weights and state would not be finite"
    if refusal.kind is kinds.extra_not_finite:
        return f"{subject}: {refusal.count} entries are not finite; expected finite values"
    if refusal.kind in (kinds.gradient_not_finite, kinds.weights_not_finite):
        entries = f"{refusal.count} of {block.array.size} entries"
        return f"{subject}: {entries} are not finite; expected finite values"
    reaches = "would reach" if refusal.kind is kinds.estimate_too_large else "reaches"
    return (
        f"{subject} {reaches} {refusal.largest:.3g}; expected at most {refusal.limit:.3g} "
        f"({route.recipe.name} in {block.array.dtype})"
    )
