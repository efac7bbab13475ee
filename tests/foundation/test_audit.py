from foundation import audit


async def test_chain(rows):
    for i in range(3):
        await audit.append(actor="platform", action="x.y", object="a/b", n=i)
    assert await audit.broken_at() is None
