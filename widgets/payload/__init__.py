"""The payload viewer: tree, text, stored bytes. Payloads are decoded statically and never executed."""
