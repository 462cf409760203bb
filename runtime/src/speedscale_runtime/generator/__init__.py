"""The generator: sends recorded requests to an application and writes down what came back."""
