"""The journal as the user sees it: its page, its entries, one entry in full."""
