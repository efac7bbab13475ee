"""查找 (F14): where a community lies, by its name. A map service answers, when one is set up."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

import httpx
import structlog
from prometheus_client import Counter
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from business_api.organisations import regions
from business_api.organisations.coordinates import Datum, Point, to_wgs84
from foundation.errors import DomainError, Kind
from foundation.runner import Context
from foundation.settings_outside import Geocoding

log = structlog.get_logger()

ASKED = Counter("geocoder_requests_total", "Questions to the map service, by outcome.", ["outcome"])

_MOST: Final = 10


class NoGeocoder(DomainError):
    """No map service is set up (`LINLI_GEOCODING__PROVIDER`): the address has to be typed."""

    kind, code, title = Kind.UNAVAILABLE, "no-geocoder", "No map service is set up here"
    title_zh = "未配置地图服务，请手动填写地址和坐标"


class GeocoderFailed(DomainError):
    """The map service did not answer, or not as agreed; the log says more."""

    kind, code, title = Kind.UNAVAILABLE, "geocoder-failed", "The map service does not answer"
    title_zh = "地图服务暂时不可用"


@dataclass(frozen=True, slots=True)
class Found:
    """A place that the map service knows. `point` is on WGS-84."""

    name: str
    address: str
    region_code: str
    """Empty when it is none of ours."""
    point: Point


class Geocoder(Protocol):
    """Knows where places are."""

    async def find(self, name: str, region_code: str = "", /) -> Sequence[Found]:
        """Places of that name, the best first, ten at most.

        Args:
            name: of a community, or an address.
            region_code: only there; empty: anywhere in China.

        Raises:
            NoGeocoder: there is no map service.
            GeocoderFailed: it does not answer.
        """
        ...


def geocoder(context: Context) -> Geocoder:
    """The one that the settings choose."""
    settings = context.settings.geocoding
    return Amap(settings) if settings.provider == "amap" else Nobody()


class Nobody:
    """No map service."""

    async def find(self, _name: str, _region_code: str = "", /) -> Sequence[Found]:
        """See `Geocoder.find`.

        Raises:
            NoGeocoder: always.
        """
        raise NoGeocoder


class _Place(BaseModel):
    """A POI of AMap. What it does not know it writes as `[]`."""

    name: str
    location: str
    """`longitude,latitude`, GCJ-02."""
    address: str | list[str] = ""
    pname: str | list[str] = ""
    cityname: str | list[str] = ""
    adname: str | list[str] = ""
    adcode: str | list[str] = ""


class _Answer(BaseModel):
    status: str
    infocode: str = ""
    pois: list[_Place] = []


class Amap:
    """高德地图: `GET /v3/place/text`, signed when there is a secret.

    Source:
        AMap Web Service API, 搜索POI and 数字签名获取和使用方法: the parameters in order of
        their names as `a=1&b=2`, the secret behind them, MD5 in hexadecimal.
    """

    def __init__(self, settings: Geocoding) -> None:
        self._settings = settings

    async def find(self, name: str, region_code: str = "", /) -> Sequence[Found]:
        """See `Geocoder.find`.

        Raises:
            GeocoderFailed: AMap does not answer, or refuses (key, signature, quota).
        """
        asked = {"keywords": name, "offset": str(_MOST), "page": "1", "extensions": "base"}
        if region_code:
            asked |= {"city": region_code, "citylimit": "true"}
        try:
            answer = _Answer.model_validate_json(await self._get("/v3/place/text", asked))
            if answer.status != "1":
                raise self._failed("refused", infocode=answer.infocode[:10])
            found = [_found(place) for place in answer.pois[:_MOST]]
        except ValidationError:
            raise self._failed("unreadable") from None
        ASKED.labels("answered").inc()
        return found

    async def _get(self, path: str, parameters: Mapping[str, str]) -> bytes:
        """The answer's body. What httpx says of a failure names the URL, and so the key."""
        settings = self._settings
        key = settings.key.get_secret_value() if settings.key else ""
        secret = settings.secret.get_secret_value() if settings.secret else ""
        signed = {**parameters, "key": key}
        if secret:
            signed["sig"] = signature(signed, secret)
        seconds = settings.timeout.total_seconds()
        try:
            async with httpx.AsyncClient(base_url=settings.url, timeout=seconds) as client:
                response = await client.get(path, params=signed)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._failed("unreachable", error=type(error).__name__) from None
        if response.status_code != httpx.codes.OK:
            raise self._failed("refused", status=response.status_code)
        return response.content

    def _failed(self, outcome: str, **facts: str | int) -> GeocoderFailed:
        ASKED.labels(outcome).inc()
        log.warning("geocoder.request.failed", outcome=outcome, **facts)
        return GeocoderFailed(outcome)


def signature(parameters: Mapping[str, str], secret: str) -> str:
    """The `sig` of a request to AMap."""
    plain = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()))
    return hashlib.md5((plain + secret).encode(), usedforsecurity=False).hexdigest()


_Degrees = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
_POINT: Final = TypeAdapter(tuple[_Degrees, _Degrees])


def _found(place: _Place) -> Found:
    lng, lat = _POINT.validate_python(tuple(place.location.split(",")))
    above = (_text(place.pname), _text(place.cityname), _text(place.adname))
    region = regions.region(_text(place.adcode))
    return Found(
        place.name,
        "".join(dict.fromkeys(above)) + _text(place.address),
        region.code if region and region.leaf else "",
        to_wgs84(Point(lat, lng), Datum.GCJ02),
    )


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ""
