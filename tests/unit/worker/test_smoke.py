async def test_smoke(both, rivers):
    await both.publish()
    s = await both.admit(12)
    await both.audit()
    await both.work()
    v = await both.view(s)
    assert (v.state, v.told) == ("completed", 12)
