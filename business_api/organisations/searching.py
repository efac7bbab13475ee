"""What a typed text finds: the same in every list of organisations."""

from tortoise.expressions import Q


def called(text: str) -> Q:
    """Rows with `text` in their name, contact or address, or in their phone.

    Phones are stored as +8675512345678 and typed as 0755-1234: digits are compared, without
    the zero that is dialled before an area code.
    """
    if not text:
        return Q()
    found = Q(name__icontains=text) | Q(contact__icontains=text) | Q(address__icontains=text)
    digits = "".join(char for char in text if char in "0123456789").lstrip("0")
    return found | Q(phone__contains=digits) if len(digits) >= 3 else found
