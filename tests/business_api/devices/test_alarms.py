"""An admin sees what is wrong with the own stations, and says that it was looked into."""

from tests.business_api.devices.air import Station
from tests.business_api.devices.conftest import Doors


async def test_a_second_box_with_the_mac_is_an_alarm_until_somebody_dismisses_it(
    doors: Doors,
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
    assert (await doors.get("/alarms", doors.lin)).status_code == 403

    path = f"/stations/{door}/dismiss-alarms"
    assert (await doors.post(path, doors.lin)).status_code == 403
    assert (await doors.post(path, doors.staff)).status_code == 204
    assert (await doors.get("/alarms", doors.staff)).json()["items"] == []
