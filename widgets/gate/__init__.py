"""The gate's page: many recorded runs against one version of the code, and what would break."""
