"""Grouped queries: the best hits of the best groups. The engine has none, so they are made of plain queries.

As a server does it: some rounds look for more groups (full ones left out), some more fill the best groups.
"""

import qdrant_edge as edge

from query import limit_of, read_grouped_query
from refusal import wrong_input
from values import values_at

DEFAULT_GROUP_SIZE = 3
_ROUNDS = 5


def query_groups(request, collection):
    """Pairs of a group's key (text or int) and its hits, best first."""
    if not request.group_by:
        raise wrong_input("Validation error in body: [group_by: must not be empty]")
    grouping = _Grouping(request, collection)
    grouping.look_for_groups()
    grouping.fill_best_groups()
    return grouping.best()


class _Grouping:
    def __init__(self, request, collection):
        self._request = request
        self._collection = collection
        self._wanted = limit_of(request)
        self._size = limit_of(request, DEFAULT_GROUP_SIZE, "group_size")
        self._key = request.group_by
        self._groups = {}  # key -> {point id: hit}

    def look_for_groups(self):
        for _ in range(_ROUNDS):
            full = [key for key, hits in self._groups.items() if len(hits) >= self._size]
            if len(full) >= self._wanted:
                return
            taken = self._take(must_not=[edge.IsEmptyCondition(self._key), *self._of_groups(full)])
            if not taken:
                return

    def fill_best_groups(self):
        for _ in range(_ROUNDS):
            unfilled = [key for key, hits in self.best() if len(hits) < self._size]
            if not unfilled:
                return
            seen = edge.HasIdCondition({hit for hits in self._groups.values() for hit in hits})
            wanted = edge.Filter(should=self._of_groups(unfilled))
            if not self._take(must=[wanted], must_not=[seen]):
                return

    def best(self):
        ranked = sorted(self._groups.items(), key=lambda group: -_top_score(group[1]))
        return [
            (key, sorted(hits.values(), key=lambda hit: -hit.score))
            for key, hits in ranked[: self._wanted]
        ]

    def _of_groups(self, keys):
        by_type = ([k for k in keys if isinstance(k, kind)] for kind in (str, int))
        return [
            edge.FieldCondition(key=self._key, match=edge.MatchAny(same)) for same in by_type if same
        ]

    def _take(self, must=(), must_not=()):
        """One round: sorts its hits into groups and tells how many found a place."""
        query = read_grouped_query(
            self._request, self._collection, self._wanted * self._size, must, must_not
        )
        hits = self._collection.query(query)
        keys = self._keys_of([hit.id for hit in hits])
        taken = 0
        for hit in hits:
            for key in keys.get(hit.id, ()):
                group = self._groups.setdefault(key, {})
                if len(group) < self._size and hit.id not in group:
                    group[hit.id] = hit
                    taken += 1
        return taken

    def _keys_of(self, ids):
        """Apart from the query, for that may ask for other parts of the payload."""
        return {
            record.id: dict.fromkeys(_group_keys(record.payload, self._key))
            for record in self._collection.retrieve(ids, [self._key], False)
        }


def _group_keys(payload, path):
    return (
        value
        for value in values_at(payload or {}, path)
        if isinstance(value, (str, int)) and not isinstance(value, bool)
    )


def _top_score(hits):
    return max(hit.score for hit in hits.values())
