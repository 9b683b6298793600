"""Datasets over a real node: in chunks, in versions, and away again."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.x509 import load_pem_x509_certificate

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.datasets.registration import admitted
from hanse.core.faults import HanseError

CSV = b"phone,age\n+86 13800138000,30\n138-0013-8001,40\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def send(house: Any, upload: str, offset: int, chunk: bytes, digest: str = "") -> Any:
    query = {"offset": str(offset), "sha256": digest or sha256(chunk)}
    return await house.client.put(f"/v1/uploads/{upload}", params=query, content=chunk)


async def upload_all(house: Any, content: bytes) -> str:
    upload = await house.ask("POST", "/uploads", {"name": "../../people.csv", "size_bytes": len(content)})
    assert (await send(house, upload["id"], 0, content)).is_success
    await house.ask("POST", f"/uploads/{upload['id']}/complete", {"sha256": sha256(content)})
    return str(upload["id"])


async def test_an_upload_goes_on_where_it_stopped_and_becomes_a_dataset_with_a_receipt(open_house: Any) -> None:
    bank = await open_house("bank")
    upload = await bank.ask("POST", "/uploads", {"name": "../../people.csv", "size_bytes": len(CSV)})
    place = f"/uploads/{upload['id']}"
    first = await send(bank, upload["id"], 0, CSV[:20])
    assert first.json()["received_bytes"] == 20
    codes = []
    for offset, chunk, digest in ((0, CSV[:20], ""), (20, CSV[20:], "0" * 64), (20, CSV[20:] + b"more", "")):
        codes.append((await send(bank, upload["id"], offset, chunk, digest)).json()["error"]["code"])
    assert codes == ["upload.offset", "upload.damaged", "upload.chunk"]
    whole = {"sha256": sha256(CSV)}
    assert (await bank.fail("POST", f"{place}/complete", whole))["code"] == "upload.incomplete"
    assert (await bank.ask("GET", place))["received_bytes"] == 20
    assert (await send(bank, upload["id"], 20, CSV[20:])).is_success
    for _ in range(2):
        await bank.ask("POST", f"{place}/complete", whole)
    body = {"name": "people", "upload": upload["id"], "id_column": "phone", "id_type": "phone"}
    dataset = await bank.ask("POST", "/datasets", body)
    assert (dataset["rows"], dataset["id_type"], dataset["misfits"]) == (2, "phone", 0)
    assert (await bank.fail("GET", place))["code"] == "upload.unknown"
    assert list((bank.directory / "uploads").iterdir()) == []
    receipt = await bank.ask("GET", "/datasets/people/versions/1/receipt")
    said = json.loads(receipt["statement"])
    assert (said["rows"], said["columns"], said["source_bytes"]) == (2, 2, len(CSV))
    assert said["source_sha256"] == sha256(CSV)
    leaf = load_pem_x509_certificate((bank.directory / "keys" / "chain.pem").read_bytes())
    verify(leaf.public_key(), receipt)


def verify(key: Any, receipt: dict[str, str]) -> None:
    """Raise unless the receipt is signed by the key."""
    key.verify(base64.b64decode(receipt["signature"]), receipt["statement"].encode(), ECDSA(hashes.SHA256()))


async def test_a_refresh_makes_versions_within_its_policy_and_a_deletion_says_what_goes(
    open_house: Any, tmp_path: Path
) -> None:
    bank = await open_house("bank")
    path = tmp_path / "people.csv"
    path.write_text("id,age\na,1\nb,2\n")
    await bank.ask("POST", "/datasets", {"name": "people", "path": str(path), "id_column": "id"})
    project = await bank.ask("POST", "/projects", {"name": "credit", "members": []})
    await bank.ask("POST", "/grants", {"dataset": "people", "project": "credit"})
    assert (await bank.ask("POST", "/datasets/people/refresh", {}))["version"] == 1
    path.write_text("id,age,income\na,1,5\nb,2,6\nc,3,7\n")
    refused = await bank.fail("POST", "/datasets/people/refresh", {})
    assert (refused["code"], "added: income" in refused["cause"]) == ("dataset.differs", True)
    assert (await bank.ask("POST", "/datasets/people/refresh", {"policy": "extend"}))["version"] == 2
    (grant,) = await bank.ask("GET", "/grants")
    assert sorted(grant["columns"]) == ["age", "id"]
    path.write_text("id,income\na,5\n")
    assert (await bank.fail("POST", "/datasets/people/refresh", {"policy": "extend"}))["code"] == "dataset.differs"
    assert (await bank.ask("POST", "/datasets/people/refresh", {"policy": "force"}))["version"] == 3
    (grant,) = await bank.ask("GET", "/grants")
    assert grant["revoked_at"] is not None
    compared = await bank.ask("GET", "/datasets/people/compare?old=1&new=2")
    assert (compared["added"], compared["removed"], compared["rows"]) == (["income"], [], 1)
    assert (await bank.fail("POST", "/datasets/people/versions/3/retire"))["code"] == "dataset.newest"
    await bank.ask("POST", "/datasets/people/versions/1/retire")
    words = {"description": "clients", "tags": ["bank"], "sensitivities": {"income": "sensitive"}}
    seen = await bank.ask("PATCH", "/datasets/people", words)
    assert seen["sensitivities"] == {"id": "identifier", "income": "sensitive"}
    assert len(list((bank.directory / "data").glob("snapshot-*"))) == 2
    stale = await bank.ask("GET", "/datasets/people/consequences")
    await bank.ask("POST", "/grants", {"dataset": "people", "project": project["id"]})
    assert (await bank.fail("DELETE", f"/datasets/people?digest={stale['digest']}"))["code"] == "dataset.consequences"
    fresh = await bank.ask("GET", "/datasets/people/consequences")
    assert (fresh["versions"], len(fresh["grants"])) == (2, 1)
    await bank.ask("DELETE", f"/datasets/people?digest={fresh['digest']}")
    assert (await bank.fail("GET", "/datasets/people"))["code"] == "dataset.unknown"
    assert list((bank.directory / "data").glob("snapshot-*")) == []
    assert all(grant["revoked_at"] for grant in await bank.ask("GET", "/grants"))
    told = {"dataset.register": 3, "dataset.retire": 1, "dataset.describe": 1, "dataset.delete": 1}
    for action, count in told.items():
        assert len(bank.audited(action)) == count


def test_a_person_names_files_of_the_allowed_folders_only(tmp_path: Path) -> None:
    ann = Caller("user-ann", "ann", "user", LOCAL.permissions)
    open_, closed = tmp_path / "open", tmp_path / "closed"
    for folder in (open_, closed):
        folder.mkdir()
        (folder / "people.csv").write_text("id\n1\n")
    (open_ / "link.csv").symlink_to(closed / "people.csv")
    assert admitted(ann, open_ / "people.csv", [open_]) == (open_ / "people.csv").resolve()
    for path in (open_ / "link.csv", open_ / ".." / "closed" / "people.csv", closed / "people.csv", open_ / "none.csv"):
        with pytest.raises(HanseError, match=r"dataset\.path"):
            admitted(ann, path, [open_])
    with pytest.raises(HanseError, match=r"dataset\.path"):
        admitted(ann, open_ / "people.csv", [])
    assert admitted(LOCAL, closed / "people.csv", []) == closed / "people.csv"


async def test_partners_hear_that_a_deleted_dataset_is_no_longer_theirs_to_use(
    open_house: Any, until: Any, tmp_path: Path
) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    await bank.pair(operator)
    project = await bank.ask("POST", "/projects", {"name": "credit", "members": ["operator"]})
    await operator.ask("POST", f"/projects/{project['id']}/accept")
    path = tmp_path / "people.csv"
    path.write_text("id,age\na,1\n")
    await operator.ask("POST", "/datasets", {"name": "people", "path": str(path), "id_column": "id"})
    await operator.ask("POST", "/grants", {"dataset": "people", "project": "credit"})

    async def offered() -> list[str]:
        return [d["name"] for d in await bank.ask("GET", f"/projects/{project['id']}/datasets")]

    await until(offered, ["people"])
    seen = await operator.ask("GET", "/datasets/people/consequences")
    await operator.ask("DELETE", f"/datasets/people?digest={seen['digest']}")
    await until(offered, [])
