"""What a model that has grown kept of its old classes, and learned of the new ones."""
