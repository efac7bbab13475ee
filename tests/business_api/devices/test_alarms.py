"""An admin sees what is wrong with the own stations, and says that it was looked into."""

from tests.business_api.conftest import Estate
from tests.business_api.devices.air import Station
from tests.business_api.devices.conftest import Doors


async def test_a_second_box_with_the_mac_is_an_alarm_until_somebody_dismisses_it(
    doors: Doors, sibling: Estate, elsewhere: Estate
) -> None:
    door, station = await doors.station()
    assert (await doors.get("/alarms", doors.staff)).json()["total"] == 0

    impostor = Station(doors.air, doors.api.client, station.mac)
    assert (await impostor.enroll()).status == "mac_conflict"

    (alarm,) = (await doors.get("/alarms", doors.staff)).json()["items"]
    assert (alarm["kind"], alarm["station_id"], alarm["mac"]) == (
        "mac_conflict",
        door,
        station.mac,
    )
    assert "MAC" in alarm["message"]
    assert alarm["community_id"] == str(doors.estate.id)
    for headers, there in [(sibling.headers, 0), (elsewhere.headers, 0), (doors.operator, 1)]:
        assert (await doors.get("/alarms", headers)).json()["total"] == there
    narrowed = await doors.get("/alarms", doors.operator, community_id=str(sibling.id))
    assert narrowed.json()["total"] == 0
    assert (await doors.get("/alarms", doors.lin)).status_code == 403

    path = f"/stations/{door}/dismiss-alarms"
    for headers, status in [
        (doors.lin, 404),
        (sibling.headers, 404),
        (elsewhere.headers, 404),
        (doors.operator, 403),  # it sees the alarm, and leaves it to the community
    ]:
        assert (await doors.post(path, headers)).status_code == status
    assert (await doors.post(path, doors.staff)).status_code == 204
    assert (await doors.get("/alarms", doors.staff)).json()["items"] == []
