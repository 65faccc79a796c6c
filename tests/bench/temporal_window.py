"""``tests.bench.temporal_drive`` in a process of its own, which as that of Playhead keeps no source of its modules."""

if __name__ == "__main__":
    import PySide6.QtWidgets  # noqa: F401  whose imports those of others go through

    from widgets.qt_types import leave_sources

    leave_sources()
    from tests.bench.temporal_drive import main

    main()
