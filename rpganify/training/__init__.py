"""Training of a generator, converted or plain, against a discriminator."""
