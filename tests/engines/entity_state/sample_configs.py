"""Configs and mappings of the sample databases."""

from __future__ import annotations

from typing import Any

INVOICE: dict[str, Any] = {
    "workflow_type": "invoice",
    "entity": {
        "table": "invoices", "type": "Invoice", "tenant": "tenant_id", "claimed_by": "claimed_by",
        "claimed_at": "claimed_at", "updated_at": "updated_at",
    },
    "owning_module": "billing",
    "status_types": ["draft", "approved", "sending", "sent", "overdue", "paid", "cancelled", "lost"],
    "initial": "draft",
    "terminal": {"good": ["paid", "cancelled"], "bad": ["lost"]},
    "steps": [
        {"key": "approve", "status": "draft", "requesters": ["user", "admin"], "successful_state": "approved",
         "rejection_state": "cancelled"},
        {"key": "send", "status": "approved", "requesters": ["system", "user"], "successful_state": "sent",
         "claim": {"status": "sending", "ttl_s": 600, "release": "approved"}},
        {"key": "pay", "status": "sent", "requesters": ["user", "system"], "when": {"kind": ["bank", "card"]},
         "successful_state": "paid"},
        {"key": "remind", "status": "sent", "requesters": ["cron"], "successful_state": "overdue"},
        {"key": "pay_late", "status": "overdue", "requesters": ["user"], "successful_state": "paid"},
        {"key": "give_up", "status": "overdue", "requesters": ["cron", "admin"], "successful_state": "lost"},
    ],
}  # fmt: skip

REGISTRATION: dict[str, Any] = {
    "workflow_type": "registration",
    "entity": {"table": "users", "type": "User", "tenant": "tenant_id", "updated_at": "updated_at"},
    "owning_module": "accounts",
    "status_types": ["new", "pending_documents", "review", "active", "rejected"],
    "initial": "new",
    "terminal": {"good": ["active"], "bad": ["rejected"]},
    "steps": [
        {"key": "confirm", "status": "new", "requesters": ["user"], "successful_state": "pending_documents"},
        {"key": "upload", "status": "pending_documents", "requesters": ["user", "admin"],
         "successful_state": "review"},
        {"key": "accept", "status": "review", "requesters": ["admin"], "successful_state": "active",
         "rejection_state": "rejected"},
        {"key": "override", "status": "pending_documents", "requesters": ["system"], "successful_state": "active"},
    ],
}  # fmt: skip

ACME_REGISTRATION: dict[str, Any] = {
    "workflow_type": "registration",
    "tenant": "acme",
    "status_types": ["new", "pending_documents", "review", "video_call", "active", "rejected"],
    "steps": [
        {"key": "accept", "successful_state": "video_call"},
        {"key": "call", "status": "video_call", "requesters": ["admin"], "successful_state": "active"},
    ],
}

OWN = """\
version = 1
name = "billing"

[writes]
mode = "sql"

[[workflow]]
type = "invoice"
config = ["invoice.json"]
[workflow.entity]
label = "number"
payload = ["data"]

[[workflow]]
type = "registration"
config = ["registration.json", "registration.acme.json"]
[workflow.entity]
label = "email"
"""

DJANGO = """\
version = 1
name = "tickets"

[time]
unit = "naive_utc"

[[workflow]]
type = "ticket"
profile = "django_fsm_log"
states = { initial = ["new"], good = ["closed"], bad = ["rejected"] }
transitions = [["new", "open", "accept"], ["open", "closed", "close"], ["new", "rejected", "reject"]]
[workflow.entity]
table = "helpdesk_ticket"
created_at = "created"
label = "title"
[workflow.history]
discriminator = { content_type_id = 7 }
"""

STATESMAN = """\
version = 1
name = "shop"

[time]
unit = "naive_utc"

[[workflow]]
type = "order"
profile = "statesman"
states = { initial = ["pending"], good = ["delivered"], bad = ["failed"], cancelled = ["cancelled"] }
[workflow.entity]
table = "orders"
"""

PLAIN = """\
version = 1
name = "jobs"

[time]
unit = "epoch_ms"

[[workflow]]
type = "job"
profile = "plain"
[workflow.entity]
table = "jobs"
status = "state"
created_at = "made"
"""
