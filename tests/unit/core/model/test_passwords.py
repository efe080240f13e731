from registry_core.model.passwords import random_password

DRAWN = 3000
"""Of those that the system draws, one in 64 begins with a dash."""


def test_a_password_is_never_taken_for_an_option() -> None:
    passwords = {random_password() for _ in range(DRAWN)}
    assert len(passwords) == DRAWN
    assert {len(each) for each in passwords} == {43}
    assert not any(each.startswith("-") for each in passwords)
