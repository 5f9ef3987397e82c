"""The data folder: its lock, its collections and their aliases.

    .lock                      held by the one server that uses the folder; holds its process id
    aliases.json               alias -> collection, replaced as a whole
    collections/<id>/
        collection.pb          the message that created it, written last: without it there is no collection
        shard/                 the engine's files
"""

import fcntl
import json
import logging
import os
import re
import shutil
import threading
import uuid

import qdrant_edge as edge

from api import messages as pb
from collection import Collection
from config import check_supported, engine_config, vector_spaces
from refusal import already_exists, no_such_collection, not_found, wrong_input

_FORBIDDEN_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
log = logging.getLogger("storage")


class UnusableFolder(Exception):
    """The data folder cannot be used; says why in one line."""


class Storage:
    """Collections and aliases. Both survive kill -9 once the call that made them has returned."""

    def __init__(self, folder, on_write=lambda: None):
        self._folder = folder
        self._on_write = on_write
        self._changing = threading.Lock()
        self._lock_file = self._lock()
        self._collections = self._load_collections()
        self._aliases = self._load_aliases()
        if self._collections:
            self._on_write()

    def collection(self, name):
        """The collection of that name or alias."""
        # Both maps are replaced or changed by single assignments, so reading needs no lock.
        found = self._collections.get(name) or self._collections.get(self._aliases.get(name))
        if found is None:
            raise no_such_collection(name)
        return found

    def exists(self, name):
        return name in self._collections or name in self._aliases

    def names(self):
        return list(self._collections)

    def aliases(self):
        return dict(self._aliases)

    def create(self, created):
        """Creates the collection that the message describes."""
        name = created.collection_name
        _check_name(name)
        check_supported(created)
        spaces, config = vector_spaces(created), engine_config(created)
        with self._changing:
            if name in self._aliases:
                raise wrong_input(
                    f"Can't create collection with name {name}. Alias with the same name already exists"
                )
            if name in self._collections:
                raise already_exists(f"Collection `{name}` already exists!")
            folder = os.path.join(self._folder, "collections", uuid.uuid4().hex)
            os.mkdir(folder)
            shard = edge.EdgeShard.create(os.path.join(folder, "shard"), config)
            shard.flush()
            _replace(os.path.join(folder, "collection.pb"), created.SerializeToString())
            self._collections[name] = Collection(
                name, folder, spaces, created, shard, self._on_write
            )

    def drop(self, name):
        """Deletes a collection with the aliases that lead to it; False where there is none."""
        with self._changing:
            collection = self._collections.get(name)
            if collection is None:
                return False
            collection.drop()
            os.unlink(os.path.join(collection.folder, "collection.pb"))
            del self._collections[name]
            self._save_aliases(
                {alias: target for alias, target in self._aliases.items() if target != name}
            )
        shutil.rmtree(collection.folder, ignore_errors=True)
        return True

    def change_aliases(self, actions):
        """All actions or none: no reader and no restart sees some of them."""
        with self._changing:
            aliases = dict(self._aliases)
            for action in actions:
                self._change_alias(aliases, action)
            self._save_aliases(aliases)

    def _change_alias(self, aliases, action):
        kind = action.WhichOneof("action")
        if kind == "create_alias":
            target = action.create_alias.collection_name
            if target not in self._collections:
                raise no_such_collection(target)
            self._check_alias(action.create_alias.alias_name)
            aliases[action.create_alias.alias_name] = target
        elif kind == "rename_alias":
            old, new = action.rename_alias.old_alias_name, action.rename_alias.new_alias_name
            if old not in aliases:
                raise not_found(f"Alias {old} does not exists!")
            self._check_alias(new)
            aliases[new] = aliases.pop(old)
        elif kind == "delete_alias":
            aliases.pop(action.delete_alias.alias_name, None)
        else:
            raise wrong_input("Malformed alias operation")

    def _check_alias(self, alias):
        _check_name(alias)
        if alias in self._collections:
            raise already_exists(f"Collection `{alias}` already exists!")

    def _save_aliases(self, aliases):
        if aliases != self._aliases:
            _replace(os.path.join(self._folder, "aliases.json"), json.dumps(aliases).encode())
            self._aliases = aliases

    def flush(self):
        for collection in list(self._collections.values()):
            try:
                collection.flush()
            except Exception as error:
                log.error("flush failed collection=%s error=%s", collection.name, error)

    def close(self):
        for collection in list(self._collections.values()):
            try:
                collection.close()
            except Exception as error:
                log.error("close failed collection=%s error=%s", collection.name, error)
        self._lock_file.close()

    def _lock(self):
        try:
            os.makedirs(os.path.join(self._folder, "collections"), exist_ok=True)
            lock_file = open(os.path.join(self._folder, ".lock"), "a+")
        except OSError as error:
            raise UnusableFolder(
                f"data folder {self._folder} cannot be used: {error.strerror}"
            ) from None
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock_file.seek(0)
            holder = lock_file.read().strip() or "unknown"
            raise UnusableFolder(
                f"data folder {self._folder} is in use by process {holder}: stop it or choose another --data"
            ) from None
        lock_file.truncate(0)
        lock_file.write(f"{os.getpid()}\n")
        lock_file.flush()
        return lock_file

    def _load_collections(self):
        root = os.path.join(self._folder, "collections")
        collections = {}
        for entry in os.scandir(root):
            collection = self._load_collection(entry.path)
            if collection is not None:
                collections[collection.name] = collection
        return collections

    def _load_collection(self, folder):
        try:
            with open(os.path.join(folder, "collection.pb"), "rb") as file:
                created = pb.CreateCollection.FromString(file.read())
        except FileNotFoundError:
            # Cut short while it was created or deleted; nobody was told that it is there.
            shutil.rmtree(folder, ignore_errors=True)
            return None
        name = created.collection_name
        try:
            shard = edge.EdgeShard.load(os.path.join(folder, "shard"), engine_config(created))
        except BaseException as error:
            raise UnusableFolder(f"collection {name} in {folder} cannot be loaded: {error}") from error
        log.info("collection loaded collection=%s points=%d", name, shard.info().points_count)
        return Collection(name, folder, vector_spaces(created), created, shard, self._on_write)

    def _load_aliases(self):
        path = os.path.join(self._folder, "aliases.json")
        try:
            with open(path, "rb") as file:
                aliases = json.load(file)
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise UnusableFolder(f"{path} cannot be read: {error}") from None
        # A kill between the deletion of a collection and that of its aliases leaves some that lead nowhere.
        return {alias: name for alias, name in aliases.items() if name in self._collections}


def _check_name(name):
    if not name or len(name) > 255 or name in (".", "..") or _FORBIDDEN_IN_NAMES.search(name):
        raise wrong_input(f"Validation error in body: [collection_name: invalid name {name!r}]")


def _replace(path, content):
    """Puts a file in place as a whole, or leaves the one that was there."""
    with open(path + ".new", "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
