"""Health, readiness and metrics: what machines ask."""

import pytest
from litestar.testing import AsyncTestClient

from pagerd.api.stages import Settings


async def test_alive_is_public(client):
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_names_each_dependency_and_tells_details_to_those_who_may_know(client, house):
    anonymous = await client.get("/readyz")
    assert (anonymous.status_code, anonymous.json()) == (
        200,
        {"ready": True, "checks": [{"name": "store", "ok": True}]},
    )
    curious = house.keys.hold("curious", "session.read")
    for headers in (curious, {"Authorization": "Bearer nobody"}):
        assert "secret" not in (await client.get("/readyz", headers=headers)).text
    operator = house.keys.hold("operator", "system.health")
    assert (await client.get("/readyz", headers=operator)).json()["checks"][0]["detail"] == "sqlite:////secret/place"


async def test_one_bad_dependency_is_503(client, house):
    house.checks.append(type(house.checks[0])("disk", ok=False, detail="12 MB left", remedy="make room"))
    answer = await client.get("/readyz", headers=house.all)
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert answer.json()["checks"][1] == {"name": "disk", "ok": False, "detail": "12 MB left", "remedy": "make room"}


@pytest.mark.parametrize(("open_metrics", "status"), [(False, 401), (True, 200)])
async def test_metrics_want_a_key_unless_they_are_opened(house, open_metrics, status):
    house.settings = Settings(open_metrics=open_metrics)
    async with AsyncTestClient(app=house.app()) as client:
        assert (await client.get("/metrics")).status_code == status
        answer = await client.get("/metrics", headers=house.keys.hold("prometheus", "metrics.read"))
        assert (answer.status_code, answer.content) == (200, b"pagerd_up 1\n")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
