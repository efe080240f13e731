"""`slipway`: manages who gets in, on the storage itself. Nouns and flags as in `az acr`."""
