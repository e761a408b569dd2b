"""Print the OpenAPI document."""

from __future__ import annotations

import json

from lpad.api.openapi import document
from lpad.api.routes import ROUTES

if __name__ == "__main__":
    print(json.dumps(document(ROUTES), indent=1))
