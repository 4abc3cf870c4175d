"""Writing list functions of the charger, for the use cases that control something.

Writes are partial where the charger announces it: only what is stated changes, and elements are
taken away by a delete filter in the same command (IEC 63380-3 5.3.3). Otherwise the complete list
is written, as it was last read, with the change in it.
"""

from .spine_data import item_name
from .use_cases import UseCase


class NotUsable(Exception):
    """The charger does not offer what was asked for."""


class WritingUseCase(UseCase):
    """A use case that writes."""

    is_guess_allowed = False  # only to who says that it follows

    async def write(
        self, feature_type: str, function: str, entries: list[dict], delete: dict | None
    ) -> None:
        """Write list items, after deleting the elements `delete` of the first one."""
        feature = self.server(feature_type)
        if not feature.can("partial write", function):
            content = self._completed(feature_type, function, entries, delete or {})
            await self.spine.write(feature, {function: {item_name(function): content}})
            return
        filters = [{"cmdControl": {"partial": {}}}]
        if delete:
            key = next(iter(entries[0]))
            chosen = {
                "cmdControl": {"delete": {}},
                f"{function}Selectors": {key: entries[0][key]},
                f"{item_name(function)}Elements": delete,
            }
            filters.insert(0, chosen)
        cmd = {"function": function, "filter": filters, function: {item_name(function): entries}}
        await self.spine.write(feature, cmd)

    def _completed(
        self, feature_type: str, function: str, entries: list[dict], delete: dict
    ) -> list[dict]:
        """Return the whole list with the changes in it, elements in schema order."""
        key = next(iter(entries[0]))
        changes = {entry[key]: entry for entry in entries}
        content = []
        for stored in self.entries(feature_type, function):
            kept = {name: value for name, value in stored.items() if name not in delete}
            change = changes.get(stored.get(key))
            if change is None:
                content.append(stored)
            else:
                content.append(_in_order(kept, change))
        return content


def _in_order(stored: dict, change: dict) -> dict:
    """Merge two items; what is new goes before `value`, where the schema has it."""
    merged = {**stored, **change}
    if "value" in merged and "limitId" in merged:
        merged["value"] = merged.pop("value")
    return merged
