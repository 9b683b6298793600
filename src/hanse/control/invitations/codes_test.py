"""Invitation codes survive chat windows, and a slip is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse.control.invitations.codes import Code, read_code, write_code
from hanse.core.faults import HanseError

CODE = Code("bank.example:9443", "3f2a" * 8, bytes(range(16)))


@given(st.text(min_size=1, max_size=200), st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_what_is_written_is_read(address: str, fingerprint: bytes, secret: bytes) -> None:
    code = Code(address, fingerprint.hex(), secret)
    assert read_code(write_code(code)) == code


def test_case_spaces_dashes_and_line_breaks_do_not_matter() -> None:
    text = write_code(CODE).upper()
    broken = "\n".join(text[i : i + 20] for i in range(0, len(text), 20)).replace("A", " a-")
    assert read_code(f"  {broken}\r\n") == CODE


def test_every_slip_of_one_character_is_noticed() -> None:
    text = write_code(CODE)
    for place in range(len(text)):
        for slip in (
            text[:place] + text[place + 1 :],
            text[:place] + ("b" if text[place] != "b" else "c") + text[place + 1 :],
        ):
            with pytest.raises(HanseError) as error:
                read_code(slip)
            assert error.value.fault.code == "invitation.code"


@given(st.text(max_size=2000))
def test_other_text_is_no_invitation(text: str) -> None:
    for attempt in (text, "hanse1" + text):
        with pytest.raises(HanseError):
            read_code(attempt)


def test_the_secret_is_in_no_repr_and_the_number_does_not_tell_it() -> None:
    assert CODE.secret.hex() not in repr(CODE)
    assert str(CODE.secret) not in repr(CODE)
    assert CODE.invitation not in CODE.secret.hex()
    assert Code("elsewhere", CODE.fingerprint, CODE.secret).invitation == CODE.invitation
