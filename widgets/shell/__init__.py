"""What stands around the pages: sources panel, top bar, status bar, bars and overlays. GUI thread."""
