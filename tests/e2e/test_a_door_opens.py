"""The main job: a box nobody has seen becomes a door that a resident opens."""

from business_api.residents import moves
from business_api.residents.models import Occupancy
from tests.support.site import Site
from tests.support.until import until


async def test_an_unknown_box_becomes_a_door_that_a_resident_opens(site: Site) -> None:
    admin = await site.signed_in("admin")
    zhang = await site.resident("zhang", site.house)

    async with site.fleet(1) as fleet:
        (box,) = fleet.stations.values()
        screen = await until(lambda: box.state()["user_code"] and box.state()["screen"], 20)
        assert any("未注册" in line for line in screen)
        assert any(box.mac.upper() in line.upper().replace(":", "") for line in screen)
        assert (await zhang.get("/doors")).json()["total"] == 0

        door = await site.register(box, "东门")

        # It fetches its secret, logs in with it and says hello.
        async def online() -> bool:
            return (await admin.get(f"/stations/{door}")).json()["presence"] == "online"

        await until(online, 30)
        assert (await zhang.get("/doors")).json()["items"][0]["name"] == "东门"

        answer = (await zhang.post(f"/doors/{door}/open")).json()

        assert (answer["outcome"], answer["code"]) == ("executed", "ok"), answer
        pulses = box.state()["pulses"]
        assert [pulse["command_id"] for pulse in pulses] == [answer["command_id"]]

        # The opening is on record once, in the name of the house, for staff and resident.
        async def recorded() -> list[dict[str, object]]:
            items = (await admin.get("/openings")).json()["items"]
            return items if box.state()["journal"]["held"] == 0 else []

        (record,) = await until(recorded)
        assert record["outcome"] == "executed"
        assert record["house_id"] == str(site.house.id)
        assert record["by_name"] == "Zhang"
        assert len((await zhang.get("/openings")).json()["items"]) == 1


async def test_a_door_that_is_away_says_so_at_once_and_never_opens_for_it(site: Site) -> None:
    admin = await site.signed_in("admin")
    async with site.fleet(1) as fleet:
        (box,) = fleet.stations.values()
        door = await site.register(box, "北门")

        async def presence() -> str:
            found: str = (await admin.get(f"/stations/{door}")).json()["presence"]
            return found

        async def is_online() -> bool:
            return await presence() == "online"

        async def is_offline() -> bool:
            return await presence() == "offline"

        await until(is_online, 30)
        box.drop_net(3)
        await until(is_offline)

        answer = (await admin.post(f"/doors/{door}/open")).json()
        assert answer["outcome"] == "offline"

        await until(is_online, 30)
        assert (await admin.post(f"/doors/{door}/open")).json()["outcome"] == "executed"
        assert box.state()["pulse_count"] == 1


async def test_the_same_key_opens_once_and_a_stranger_finds_no_door(site: Site) -> None:
    zhang = await site.resident("zhang", site.house)
    async with site.fleet(2) as fleet:
        ours, elsewhere = fleet.stations.values()
        door = await site.register(ours, "单元门", position="unit", place_id=str(site.unit.id))
        other = await site.register(
            elsewhere, "1号楼", position="building", place_id=str(site.building.id)
        )
        await until(lambda: fleet.online() == 2, 30)
        await until(_listed(zhang, door, other), 10)

        key = {"Idempotency-Key": "pressed-once"}
        first = (await zhang.post(f"/doors/{door}/open", headers=key)).json()
        again = (await zhang.post(f"/doors/{door}/open", headers=key)).json()
        assert first["outcome"] == "executed"
        assert again["command_id"] == first["command_id"]
        assert ours.state()["pulse_count"] == 1

        home = await Occupancy.get(house_id=site.house.id, ended_at=None)
        await moves.end(site.context, "platform", home, "ended_by_staff")
        refused = await zhang.post(f"/doors/{door}/open")
        assert refused.status_code == 404
        assert refused.headers["content-type"] == "application/problem+json"
        assert ours.state()["pulse_count"] == 1


def _listed(client: object, *doors: str):
    async def check() -> bool:
        items = (await client.get("/doors")).json()["items"]  # type: ignore[attr-defined]
        there = {item["id"]: item["presence"] for item in items}
        return all(there.get(door) == "online" for door in doors)

    return check
