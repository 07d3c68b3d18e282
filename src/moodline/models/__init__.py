"""One file a model: configuration, network and its loss, with the paper's equation numbers."""
