"""Views of workflow configs as files: text with findings, status graphs, paths, simulation, replay, impact."""
