"""Endpoints of the stand-in for collections of repositories."""

from __future__ import annotations

import hashlib
import json
import re

from stand_in_transport import Transport


class Collections(Transport):
    """Made once, then looked up; items have notes."""

    def collect(self) -> None:
        if not self.writer():
            return
        content = json.loads(self.body)
        if len(content["title"]) > 60 or len(content.get("description", "")) > 150:
            self.answer(400, {"error": "title or description is too long"})
            return
        words = re.sub(r"[^a-z0-9]+", "-", content["title"].lower()).strip("-")
        slug = f"{content['namespace']}/{words}-{hashlib.sha1(content['title'].encode()).hexdigest()[:24]}"
        if slug in self.hub.collections:
            self.answer(409, {"error": "This collection already exists", "slug": slug})
            return
        owner = {"name": content["namespace"], "type": "org"}
        self.hub.collections[slug] = {
            "slug": slug, "title": content["title"], "owner": owner, "items": [], "position": 0, "theme": "green",
            "lastUpdated": "2026-01-01T00:00:00.000Z", "private": content["private"], "upvotes": 0,
            "description": content.get("description"), "gating": False,
        }  # fmt: skip
        self.answer(200, self.hub.collections[slug])

    def collected(self, slug: str) -> None:
        found = self.hub.collections.get(slug)
        self.answer(404 if found is None else 200, found or {"error": "no such collection"})

    def add_item(self, slug: str) -> None:
        if not self.writer():
            return
        content, items = json.loads(self.body), self.hub.collections[slug]["items"]
        name = content["item"]["id"]
        if name not in self.hub.repositories:
            self.answer(404, {"error": f"no repository {name}"})
            return
        if any(item["id"] == name for item in items):
            self.answer(409, {"error": "already in the collection"})
            return
        note = {"text": content["note"], "html": content["note"]} if "note" in content else None
        items.append({"_id": f"{len(items):024x}", "id": name, "type": "model", "position": len(items), "note": note})
        self.answer(200, self.hub.collections[slug])

    def change_item(self, slug: str, item_id: str) -> None:
        if not self.writer():
            return
        for item in self.hub.collections[slug]["items"]:
            if item["_id"] == item_id:
                text = json.loads(self.body)["note"]
                item["note"] = {"text": text, "html": text}
        self.answer(200, {"success": True})
