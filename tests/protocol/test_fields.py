"""The table of event fields, and the types that users see."""

from typing import get_type_hints

import pytest

from antinode import Event
from antinode._events import EventDict
from antinode._protocol.fields import FIELDS, ID_FIELDS, PROPERTY_FIELDS, FieldKind
from antinode.server.storage.profiles import DEVICE_FIELDS, LOCATION_FIELDS

DOCUMENTED = {key for key, kind in FIELDS.items() if kind is not FieldKind.ANY}


def test_the_dict_has_each_documented_field():
    """A field is in `EventDict` if the table has it with a kind, and no other is."""
    assert set(get_type_hints(EventDict)) == DOCUMENTED


def test_the_object_has_each_documented_field():
    """So it is with `Event`, whose attributes have no `$`."""
    assert {name for name in Event.__slots__ if not name.startswith("_")} == {
        key.removeprefix("$") for key in DOCUMENTED
    }


@pytest.mark.parametrize("key", sorted(DOCUMENTED))
def test_a_field_has_the_type_of_its_kind(key):
    """The annotation of `EventDict` allows what the kind calls for."""
    hint = str(get_type_hints(EventDict)[key])
    words = {
        FieldKind.STRING: ("str",),
        FieldKind.INTEGER: ("int",),
        FieldKind.NUMBER: ("float",),
        FieldKind.BOOLEAN: ("bool",),
        FieldKind.OBJECT: ("Mapping", "Plan", "IngestionMetadata"),
    }
    assert any(word in hint for word in words[FIELDS[key]])


def test_special_fields_are_fields():
    """Ids, properties, and what a profile keeps of a device and its place are in the table."""
    assert {*ID_FIELDS, *PROPERTY_FIELDS, *DEVICE_FIELDS, *LOCATION_FIELDS} <= set(FIELDS)
