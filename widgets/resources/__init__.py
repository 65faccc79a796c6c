"""Resources of a source: queues, schedules, versions, workers, whatever its engine has."""
