"""The entities page: status graph, header, list and what is staged."""
