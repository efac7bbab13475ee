"""The signature of requests to the provider."""

from datetime import UTC, datetime
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from business_api.sms.aliyun_signature import Call, headers_of, query_of


def test_the_worked_example_of_the_documentation() -> None:
    """Alibaba Cloud, "Request syntax and signature method V3", the fixed parameters there."""
    call = Call(
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        params={
            "RegionId": "cn-shanghai",
            "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
        },
        at=datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC),
        nonce="3156853299f313e23d1673dc12e1703d",
    )
    headers = headers_of(call, "YourAccessKeyId", "YourAccessKeySecret")
    assert headers["Authorization"] == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;"
        "x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_what_must_be_encoded_is_and_the_rest_is_not() -> None:
    params = {"b": "邻里 +/*~-_.'", "a": '{"code": "1&2=3"}'}
    assert query_of(params) == (
        "a=%7B%22code%22%3A%20%221%262%3D3%22%7D&b=%E9%82%BB%E9%87%8C%20%2B%2F%2A~-_.%27"
    )


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=5))
def test_a_query_says_what_was_put_into_it(params: dict[str, str]) -> None:
    pairs = [pair.partition("=") for pair in query_of(params).split("&") if pair]
    assert {unquote(name): unquote(value) for name, _, value in pairs} == params
