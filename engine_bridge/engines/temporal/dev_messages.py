"""The server's own records, as far as they are read: messages described at run time, with the fields that are used.

Numbers and types follow ``temporal.server.api.persistence.v1`` and ``temporal.server.chasm.lib`` of Temporal 1.32
(MIT), which the SDK does not ship.
Messages of the public API stand in them as bytes, which protobuf encodes likewise.
"""

from __future__ import annotations

import functools
from typing import Any, Final

_PACKAGE: Final = "playhead.temporal.dev"
_TYPES: Final = {"int": 3, "int32": 5, "bool": 8, "str": 9, "bytes": 12}
_MESSAGE: Final = 11
_ONE, _MANY = 1, 3

_FIELDS: Final[dict[str, str]] = {
    "Range": "branch_id:1:str begin_node_id:2:int end_node_id:3:int",
    "Branch": "tree_id:1:str branch_id:2:str ancestors:3:*Range",
    "VersionItem": "event_id:1:int version:2:int",
    "Version": "branch_token:1:bytes items:2:*VersionItem",
    "Versions": "current_version_history_index:1:int32 histories:2:*Version",
    "Entry": "key:1:str value:2:bytes",
    "Text": "key:1:str value:2:str",
    "Stats": "history_size:1:int",
    "Pause": "pause_time:1:bytes identity:2:str reason:3:str",
    "Execution": (
        "namespace_id:1:str workflow_id:2:str parent_workflow_id:4:str parent_run_id:5:str task_queue:9:str "
        "workflow_type_name:10:str workflow_execution_timeout:11:bytes workflow_run_timeout:12:bytes "
        "default_workflow_task_timeout:13:bytes start_time:20:bytes last_update_time:21:bytes "
        "workflow_task_scheduled_event_id:23:int workflow_task_started_event_id:24:int workflow_task_attempt:26:int32 "
        "workflow_task_started_time:27:bytes workflow_task_scheduled_time:28:bytes cancel_requested:29:bool "
        "workflow_task_original_scheduled_time:30:bytes workflow_execution_expiration_time:40:bytes "
        "search_attributes:52:*Entry memo:53:*Entry version_histories:54:Versions first_execution_run_id:55:str "
        "execution_stats:56:Stats workflow_run_expiration_time:57:bytes state_transition_count:59:int "
        "execution_time:60:bytes new_execution_run_id:61:str close_time:66:bytes "
        "most_recent_worker_version_stamp:78:bytes machines:81:*MachineType root_workflow_id:83:str "
        "root_run_id:84:str assigned_build_id:85:str reset_run_id:97:str "
        "versioning_info:98:bytes original_execution_run_id:99:str worker_deployment_name:103:str priority:104:bytes "
        "pause_info:106:Pause"
    ),
    "State": "create_request_id:1:str run_id:2:str state:3:int32 status:4:int32 start_time:6:bytes",
    "Manual": "identity:1:str reason:2:str",
    "ActivityPause": "pause_time:1:bytes manual:2:Manual rule_id:3:str",
    "Activity": (
        "scheduled_time:4:bytes started_event_id:5:int started_time:7:bytes activity_id:8:str cancel_requested:14:bool "
        "attempt:17:int32 task_queue:18:str started_identity:19:str has_retry_policy:20:bool "
        "retry_maximum_attempts:23:int32 retry_expiration_time:24:bytes retry_last_failure:27:bytes "
        "retry_last_worker_identity:28:str scheduled_event_id:30:int last_heartbeat_details:31:bytes "
        "last_heartbeat_update_time:32:bytes activity_type:34:bytes last_attempt_complete_time:40:bytes paused:42:bool "
        "pause_info:46:ActivityPause"
    ),
    "Child": (
        "started_event_id:3:int started_workflow_id:5:str started_run_id:6:str workflow_type_name:10:str "
        "parent_close_policy:11:int32 initiated_event_id:12:int"
    ),
    "Machine": "data:1:bytes",
    "MachineEntry": "key:1:str value:2:Machine",
    "MachineMap": "machines:1:*MachineEntry",
    "MachineType": "key:1:str value:2:MachineMap",
    "Token": "event_id:1:int",
    "Nexus": (
        "endpoint:1:str service:2:str operation:3:str token:5:Token operation_token:6:str "
        "schedule_to_close_timeout:7:bytes scheduled_time:8:bytes state:10:int32 attempt:11:int32 "
        "last_attempt_complete_time:12:bytes last_attempt_failure:13:bytes next_attempt_schedule_time:14:bytes"
    ),
    "Any": "type_url:1:str value:2:bytes",
    "Component": "type_id:1:int",
    "ChasmNode": "component:11:Component",
    "ChasmNexus": (
        "state:1:int32 endpoint:3:str service:4:str operation:5:str scheduled_time:6:bytes "
        "schedule_to_close_timeout:11:bytes parent:13:Any attempt:14:int32 last_attempt_complete_time:15:bytes "
        "last_attempt_failure:16:bytes next_attempt_schedule_time:17:bytes operation_token:18:str"
    ),
    "NamespaceInfo": "id:1:str state:2:int32 name:3:str description:4:str owner:5:str",
    "NamespaceConfig": "retention:1:bytes aliases:8:*Text",
    "Namespace": "info:1:NamespaceInfo config:2:NamespaceConfig",
    "Queue": "namespace_id:1:str name:2:str task_type:3:int32 kind:4:int32 last_update_time:7:bytes backlog:8:int",
}
"""By message: ``name:number:type``, with ``*`` for repeated ones."""


@functools.cache
def _classes() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field in fields.split():
            called, number, kind = field.split(":")
            bare = kind.removeprefix("*")
            made = message.field.add(name=called, number=int(number), label=_MANY if bare != kind else _ONE)
            made.type = _TYPES.get(bare, _MESSAGE)  # type: ignore[assignment]  # the generated enum is an int
            if bare not in _TYPES:
                made.type_name = f".{_PACKAGE}.{bare}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _FIELDS
    }


def parse(name: str, data: Any) -> Any:
    """A record by the name of its message in this module. Raises ``google.protobuf.message.DecodeError``."""
    return _classes()[name].FromString(_bytes(data))


def read_into(message: Any, name: str, data: bytes) -> None:
    """Sets a message field of a public message from its bytes, if there are any. Raises DecodeError."""
    if data:
        getattr(message, name).MergeFromString(data)


def _bytes(data: Any) -> bytes:
    return data if isinstance(data, bytes) else str(data or "").encode()
