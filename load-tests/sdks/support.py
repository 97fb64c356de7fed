"""What the checks of all clients share."""


def equal(found, wanted):
    """Fails with both values where they differ."""
    assert found == wanted, f"found {found!r}, wanted {wanted!r}"


def raises(kind, call):
    """Returns the error of this kind that `call` raises. Fails where it raises none."""
    try:
        result = call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised, the result was {result!r}")
