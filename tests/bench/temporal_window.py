"""``tests.bench.temporal_drive`` in a process of its own; imports nothing before that, since the children of a window
import its main module again, and that of Playhead is small too."""

if __name__ == "__main__":
    from tests.bench.temporal_drive import main

    main()
