"""The runs page: filter bar, status chips, charts, and the paged table of runs."""
