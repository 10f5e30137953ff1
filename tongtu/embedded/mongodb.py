"""One mongod as a replica set of one member (transactions need a replica set) on a local port."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from tongtu.embedded.mongod import Mongod
from tongtu.embedded.ports import HOST
from tongtu.embedded.process import Server

REPLICA_SET = "rs0"
_NOT_YET_INITIALIZED = 94  # MongoDB's error code


class MongoDB(Server):
    """A mongod that keeps its data in `folder`; its replica set is set up at the first start and follows the port.

    `cache` is WiredTiger's in GB. `test_commands` allows failCommand and the like. Transactions whose client died are
    ended after 10 s (MongoDB's default of 60 s would hold their locks as long).
    """

    def __init__(
        self,
        mongod: Mongod,
        folder: Path,
        logs: Path,
        port: int,
        *,
        cache: float = 1,
        test_commands: bool = False,
        held: Sequence[int] = (),
    ):
        super().__init__("MongoDB", logs / "mongod.log", held)
        self.port = port
        self._mongod = mongod
        self._folder = folder
        self._cache = cache
        self._test_commands = test_commands

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._mongod.prepare(self._folder)

    def _command(self) -> Sequence[str]:
        options = ["--port", str(self.port), "--replSet", REPLICA_SET]
        options += ["--wiredTigerCacheSizeGB", str(self._cache)]
        options += ["--setParameter", "transactionLifetimeLimitSeconds=10"]
        if self._test_commands:
            options += ["--setParameter", "enableTestCommands=1"]
        return self._mongod.command(self._folder, self.port, options)

    def _cleanup(self) -> Sequence[str]:
        return self._mongod.cleanup(self._folder)

    def _is_ready(self) -> bool:
        pid = self.pid
        if pid is None or not self._mongod.listens(pid, self.port, self._folder):
            return False
        # A direct connection: as a replica set, a set that is not set up yet has no server to offer.
        options: dict[str, Any] = {"directConnection": True, "serverSelectionTimeoutMS": 1000}
        with MongoClient[dict[str, Any]](HOST, self.port, **options) as client:
            try:
                hello = client.admin.command("hello")
                if hello.get("isWritablePrimary"):
                    return True
                self._set_up_replica_set(client)
            except PyMongoError:
                return False  # not listening yet, or busy with the last step
        return False

    def _set_up_replica_set(self, client: MongoClient[dict[str, Any]]) -> None:
        host = f"{HOST}:{self.port}"
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code != _NOT_YET_INITIALIZED:
                raise
            members = [{"_id": 0, "host": host}]
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
            return
        if config["members"][0]["host"] != host:  # the data was last used on another port
            config["members"][0]["host"] = host
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)

    def _failure(self, printed: str) -> str:
        return self._mongod.failure(printed, self._output)
