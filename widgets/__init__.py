"""Qt views of the model. They know no engine, no database and no application."""
