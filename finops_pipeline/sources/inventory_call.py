"""One call that lists resources of a type, as data: what to call and where its answer has what.

Put here: the classes of which the table of calls is made. Keep out: the table
(inventory_table.py), making the calls (inventory_api.py). Paths are JMESPath, as in AWS's own
command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NAME_TAG = "Tags[?Key=='Name'].Value | [0]"


@dataclass(frozen=True)
class FollowUp:
    """A second call about each listed resource.

    `parameters` are paths in the listed item. The `result` of the answer replaces the item, or
    becomes its `key`. `absent` are AWS's codes for "there is none". `tells`: the attributes that
    only this call tells; they are left out where it is denied. `is_in_list`: the parameters take
    lists of one value.
    """

    operation: str
    parameters: Mapping[str, str]
    action: str
    result: str = "@"
    key: str = ""
    absent: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    is_in_list: bool = False


@dataclass(frozen=True)
class InventoryCall:
    """A call that lists the resources of a type in a region.

    `items` is the path of the list in the answer; the other paths are in an item. `arn` is a path,
    or a template such as `arn:{partition}:ec2:{region}:{account}:volume/{id}`. `attributes` is a
    path that makes an object. `absent` are AWS's codes for "there are none".
    """

    resource_type: str
    service: str
    operation: str
    action: str
    service_code: str
    items: str
    id: str
    arn: str
    attributes: str
    name: str = NAME_TAG
    state: str = "State"
    created: str = "`null`"
    tags: str = "Tags"
    parameters: Mapping[str, object] = field(default_factory=dict)
    follow_ups: tuple[FollowUp, ...] = ()
    absent: tuple[str, ...] = ()
    is_global: bool = False

    @property
    def actions(self) -> tuple[str, ...]:
        """The IAM actions that it needs."""
        return (self.action, *(follow_up.action for follow_up in self.follow_ups))
