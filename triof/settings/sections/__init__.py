"""One module per theme, with the classes of its sections: names, defaults and checks, but nothing that acts on them."""
