"""What can be set for an intersection."""

from typing import Annotated, Literal

import msgspec

from hanse.sdk import Params
from hanse.sdk.params import Clash


class Settings(Params, frozen=True):
    """How ids are compared, what becomes known, and who gets it."""

    method: Annotated[
        Literal["auto", "ecdh", "vole"],
        msgspec.Meta(
            title="Method",
            description="ecdh: blinding on Curve25519, least set-up and fewest assumptions. vole: a silent VOLE and an "
            "encoded set, several times faster and smaller for large sets. auto: the guest takes what is faster for "
            "the sizes and the link, and says why.",
        ),
    ] = "auto"
    result: Annotated[
        Literal["shared", "difference", "count"],
        msgspec.Meta(
            title="Result",
            description="shared: the rows that all parties have, in one order. difference: each party's own rows that "
            "not all others have. count: the guest learns how many are shared, and nobody which (one host, by ecdh).",
        ),
    ] = "shared"
    share_result: Annotated[
        bool,
        msgspec.Meta(
            title="Share the result",
            description="Hosts learn which of their ids are shared, as training needs; else their result has no rows.",
        ),
    ] = True
    minimum: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=1_000_000_000,
            title="Least shared ids",
            description="Fewer shared ids than this end the task: a small intersection says much about single people.",
            extra_json_schema={"unit": "rows"},
        ),
    ] = 1
    payload: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            title="Columns for the guest",
            description="Set for a host: the guest gets these columns, numbers, of the host's shared rows. Needs one "
            "host, and the result shared.",
        ),
    ] = ()
    code: Annotated[
        Literal["conservative", "fast"],
        msgspec.Meta(
            title="Code of the VOLE",
            description="Only for vole. conservative: expander of weight 21. fast: weight 7, less computing on a "
            "younger assumption.",
        ),
    ] = "conservative"
    field: Annotated[
        Literal["auto", "wide"],
        msgspec.Meta(
            title="Field",
            description="Only for vole. auto: values of 64 bits up to 16,777,216 ids of the host, where the chance "
            "that the guest could test one id which it has not is 2^-40; of 128 bits above. wide: of 128 bits always, "
            "for about 10 more bytes an id.",
        ),
    ] = "auto"
    security: Annotated[
        Literal["semi_honest", "malicious"],
        msgspec.Meta(
            title="Security",
            description="semi_honest: against parties that follow the protocol. malicious: also against a party that "
            "deviates from it, by the method vole with longer elements and tags; one host, no count.",
        ),
    ] = "semi_honest"
    bandwidth_mbit_s: Annotated[
        float,
        msgspec.Meta(
            ge=0,
            le=1_000_000,
            title="Bandwidth",
            description="Of the link to the hosts, for `auto`; 0: measure it when the choice depends on it.",
            extra_json_schema={"unit": "Mbit/s"},
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        if self.result == "count" and self.method == "vole":
            chinese = "计数只能用 ecdh 方法；请选择 ecdh 或 auto"
            raise Clash("a count is made by the method ecdh; choose that or auto", chinese, "method")
        if self.security == "malicious" and (self.method == "ecdh" or self.result == "count"):
            raise Clash(
                "against malice there is the method vole, and no count",
                "恶意安全只支持 vole 方法，且不支持计数",
                "security",
            )
        if self.payload and self.result != "shared":
            raise Clash(
                "columns for the guest need the result shared", "为任务发起方附加列需要结果为 shared", "payload"
            )
