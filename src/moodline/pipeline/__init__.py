"""From a recipe to a model, and from a conversation to a prediction."""
